package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// strokes are digits as one draws them: points of the drawing area, as shares of its size.
var strokes = map[string][][2]float64{
	"0": {{.5, .2}, {.35, .3}, {.3, .5}, {.35, .7}, {.5, .8}, {.65, .7}, {.7, .5}, {.65, .3}, {.5, .2}},
	"1": {{.5, .2}, {.5, .4}, {.5, .6}, {.5, .8}},
	"2": {{.32, .32}, {.4, .2}, {.55, .18}, {.66, .28}, {.64, .42}, {.5, .58}, {.35, .75}, {.32, .8}, {.5, .8}, {.7, .8}},
	"7": {{.3, .25}, {.5, .24}, {.7, .25}, {.62, .45}, {.52, .65}, {.45, .85}},
	"3": {{.33, .25}, {.5, .18}, {.66, .27}, {.62, .42}, {.47, .48}, {.64, .55}, {.68, .7}, {.52, .83}, {.33, .76}},
}

// draw draws a digit with the mouse.
func draw(t *testing.T, ctx context.Context, digit string) {
	t.Helper()
	do(t, ctx, chromedp.Click("#clear"))
	wait(t, ctx, `document.getElementById("digit").textContent === "–"`)
	box := value[[]float64](t, ctx, `(() => { const r = document.getElementById("pad").getBoundingClientRect(); return [r.left, r.top, r.width, r.height] })()`)
	event := func(kind input.DispatchMouseEventType, p [2]float64) {
		do(t, ctx, mouse(kind, box[0]+p[0]*box[2], box[1]+p[1]*box[3]))
	}
	points := strokes[digit]
	event(input.DispatchMouseEventTypeMousePressed, points[0])
	for _, p := range points[1:] {
		event(input.DispatchMouseEventTypeMouseMoved, p)
	}
	event(input.DispatchMouseEventTypeMouseReleased, points[len(points)-1])
	wait(t, ctx, fmt.Sprintf(`document.getElementById("digit").textContent === %q`, digit))
}

// mouse is an event with the left button.
func mouse(kind input.DispatchMouseEventType, x, y float64) chromedp.Action[chromedp.Void] {
	return chromedp.MouseEvent(kind, x, y, chromedp.ButtonLeft)
}

// LeNet in a tab: digits that the mouse and the keyboard draw are known, a unit is explained,
// and the network learns.
func TestDemo(t *testing.T) {
	folder := filepath.Join(root, "bin", "demo")
	if _, err := os.Stat(filepath.Join(folder, "hubel.wasm.gz")); err != nil {
		t.Skipf("%v: make demo", err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(folder)))
	defer server.Close()
	ctx := start(t)
	do(t, ctx, screen(1280, 1000, false), chromedp.Navigate(server.URL))
	wait(t, ctx, `document.documentElement.dataset.state === "ready"`)
	for digit := range strokes {
		draw(t, ctx, digit)
	}

	// The keyboard draws a 1: up, the pen down, and along a line.
	do(t, ctx, chromedp.Click("#clear"), chromedp.Focus("#pad"))
	key := func(k string, n int) {
		for range n {
			do(t, ctx, chromedp.KeyEvent(k))
		}
	}
	key(kb.ArrowUp, 8)
	key(" ", 1)
	key(kb.ArrowDown, 17)
	wait(t, ctx, `document.getElementById("digit").textContent === "1"`)
	key(kb.Delete, 1)
	wait(t, ctx, `document.getElementById("digit").textContent === "–"`)

	// A unit of conv2 sees 14x14 pixels, by mouse as by keyboard.
	draw(t, ctx, "3")
	do(t, ctx, script(`scrollTo({top: 0, behavior: "instant"})`))
	at := value[[]float64](t, ctx, `(() => { const r = document.getElementById("layer-conv2").getBoundingClientRect(); return [r.left + 60, r.top + 20] })()`)
	do(t, ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
	wait(t, ctx, `document.getElementById("unit-text").textContent.includes("14×14 pixels")`)
	do(t, ctx, chromedp.Focus("#layer-conv2"))
	key(kb.ArrowRight, 3)
	do(t, ctx, chromedp.MouseClickXY(at[0], at[1]))
	wait(t, ctx, `/^A unit of conv2: map 1, row 4, column 6$/.test(document.getElementById("unit-title").textContent)`)
	wait(t, ctx, `document.getElementById("unit-sum").textContent.startsWith("The sum of 500 products")`)
	key(kb.ArrowRight, 1)
	wait(t, ctx, `/^A unit of conv2: map 1, row 4, column 7$/.test(document.getElementById("unit-title").textContent)`)
	do(t, ctx, script(`scrollTo(0, 0)`), chromedp.Sleep(500*time.Millisecond))
	picture(t, ctx, "demo.png")

	do(t, ctx, script(`document.getElementById("iterations").value = 200`), script(`document.getElementById("train").click()`))
	wait(t, ctx, `["done", "failed"].includes(document.getElementById("progress").dataset.state)`)
	said := value[string](t, ctx, `document.getElementById("progress").textContent`)
	found := regexp.MustCompile(`^200 iterations in \d+ s\. (\d+\.\d) % of 2,000 test digits are right\.$`).FindStringSubmatch(said)
	if found == nil {
		t.Fatal(said)
	}
	if right, err := strconv.ParseFloat(found[1], 64); err != nil || right < 90 {
		t.Errorf("200 iterations, and only %s %% are right", found[1])
	}
	do(t, ctx, section("training"))
	picture(t, ctx, "demo-training.png")
	do(t, ctx, script(`document.getElementById("use").click()`))
	wait(t, ctx, `!document.getElementById("back").disabled`)
	wait(t, ctx, `document.getElementById("digit").textContent === "3"`)
	do(t, ctx, script(`document.getElementById("back").click()`), script(`document.getElementById("example").click()`))
	wait(t, ctx, `document.getElementById("back").disabled`)

	// At phone width, and dark.
	do(t, ctx, screen(390, 844, true), script(`scrollTo(0, 0)`), chromedp.Sleep(500*time.Millisecond))
	if wide := value[float64](t, ctx, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %g pixels wide on a phone of 390", wide)
	}
	picture(t, ctx, "demo-phone.png")
	do(t, ctx, section("look"))
	picture(t, ctx, "demo-phone-look.png")
}
