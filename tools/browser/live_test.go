package browser

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// lenet are the flags of a run of LeNet on MNIST.
func lenet(dir string, more ...string) []string {
	return append([]string{"-model", "lenet", "-data", "mnist", "-batch", "64", "-lr-policy", "cosine", "-monitor", "-live", "-out", dir}, more...)
}

// section scrolls to a part of the page and lets it draw.
func section(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		script(`document.getElementById("`+name+`").scrollIntoView({behavior: "instant", block: "start"})`),
		chromedp.Sleep(800*time.Millisecond), // the page draws what comes into sight
	)
}

// A run is watched from its beginning to its end; then it is compared with a second one, which
// the page stops.
func TestLive(t *testing.T) {
	ctx := start(t)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "rate-0.04"), filepath.Join(dir, "rate-0.01")

	train := run(t, "train", lenet(first, "-epochs", "2", "-lr", "0.04")...)
	do(t, ctx, screen(1280, 900, false), chromedp.Navigate(train.url(t)))
	wait(t, ctx, `document.getElementById("status").textContent === "training"`)
	if hash := value[string](t, ctx, `location.hash`); hash != "" {
		t.Errorf("the token stays in the address: %s", hash)
	}
	wait(t, ctx, `!document.getElementById("save").disabled`)
	wait(t, ctx, `Number(document.getElementById("meter").getAttribute("aria-valuenow")) >= 2`)
	do(t, ctx, chromedp.Click("#save"), section("machine"))
	wait(t, ctx, `/checkpoint\.safetensors, after iteration [1-9]/.test(document.getElementById("machine").textContent)`)
	do(t, ctx, section("top"))
	wait(t, ctx, `document.getElementById("status").textContent === "done"`)
	do(t, ctx, script(`scrollTo(0, 0)`))
	picture(t, ctx, "live.png")
	do(t, ctx, section("filters"))
	picture(t, ctx, "live-layers.png")
	do(t, ctx, section("mistakes"))
	wait(t, ctx, `document.querySelectorAll("#mistakes figure").length > 0`)
	do(t, ctx, section("network"))
	wait(t, ctx, `document.querySelectorAll("#network .node").length > 8`)
	if code := train.end(t); code != 0 {
		t.Fatalf("train ends with %d", code)
	}

	train = run(t, "train", lenet(second, "-epochs", "5", "-lr", "0.01")...)
	do(t, ctx, chromedp.Navigate(train.url(t)))
	wait(t, ctx, `Number(document.getElementById("meter").getAttribute("aria-valuenow")) >= 5`)
	wait(t, ctx, `!document.getElementById("stop").disabled`)
	do(t, ctx, script(`window.confirm = () => true`), chromedp.Click("#stop"))
	if code := train.end(t); code != 130 {
		t.Fatalf("a run that the page stops ends with %d, not as with Ctrl-C", code)
	}
	if !strings.Contains(train.printed(), "Stopped and saved") {
		t.Error("the run is not saved")
	}

	both := run(t, "live", first, second)
	do(t, ctx, chromedp.Navigate(both.url(t)))
	wait(t, ctx, `document.querySelectorAll("#runs .chip").length === 2`)
	wait(t, ctx, `document.querySelectorAll("#curves .legend span").length >= 8`)
	picture(t, ctx, "live-two.png")
	do(t, ctx, section("mistakes"))
	wait(t, ctx, `document.querySelector("#mistakes figure img")?.naturalWidth === 28`)
	do(t, ctx, chromedp.Focus("#confusion"), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	picture(t, ctx, "live-mistakes.png")
	do(t, ctx, section("network"))
	picture(t, ctx, "live-network.png")
	do(t, ctx, section("settings"))
	wait(t, ctx, `[...document.querySelectorAll("#settings tr.differs th")].some((th) => th.textContent === "schedule rate")`)
	picture(t, ctx, "live-settings.png")

	// At phone width, and dark.
	do(t, ctx, screen(390, 844, true), script(`scrollTo(0, 0)`), section("top"))
	wide := value[float64](t, ctx, `document.documentElement.scrollWidth`)
	if wide > 390 {
		t.Errorf("the page is %g pixels wide on a phone of 390", wide)
	}
	picture(t, ctx, "live-phone.png")
	for _, name := range []string{"curves", "filters", "layers", "mistakes", "network", "memory"} {
		do(t, ctx, section(name))
		picture(t, ctx, "live-phone-"+name+".png")
	}
}
