package browser

import (
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// unzipped is a file of MNIST without its header.
func unzipped(t *testing.T, name string, header int) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "datasets", "mnist", name))
	if err != nil {
		t.Skipf("%v: make mnist", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return all[header:]
}

// digits writes the first ten test digits of MNIST as pictures into a folder, and returns their
// files and labels.
func digits(t *testing.T, dir string) (files []string, labels []byte) {
	t.Helper()
	pixels, labels := unzipped(t, "t10k-images-idx3-ubyte.gz", 16), unzipped(t, "t10k-labels-idx1-ubyte.gz", 8)
	for i := range 10 {
		files = append(files, filepath.Join(dir, fmt.Sprintf("digit-%d.png", i)))
		f, err := os.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		err = png.Encode(f, &image.Gray{Pix: pixels[i*784:][:784], Stride: 28, Rect: image.Rect(0, 0, 28, 28)})
		if closed := f.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
	}
	return files, labels[:10]
}

// Pictures that are chosen or dropped on serve's page get their classes; what is no picture gets
// a reason.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	files, labels := digits(t, dir)
	trained := filepath.Join(dir, "run")
	if train := run(t, "train", "-model", "lenet", "-data", "mnist", "-batch", "64", "-lr", "0.04", "-iters", "300", "-out", trained); train.end(t) != 0 {
		t.Fatal("train fails")
	}
	ctx := start(t)
	server := run(t, "serve", "-weights", filepath.Join(trained, "weights.safetensors"), "-addr", "127.0.0.1:0")
	do(t, ctx, screen(900, 900, false), chromedp.Navigate(server.url(t)))
	wait(t, ctx, `document.title.startsWith("hubel: ") && document.querySelectorAll("#models option").length === 1`)

	do(t, ctx, chromedp.SetUploadFiles("#files", files))
	wait(t, ctx, `document.getElementById("state").textContent === "10 predicted"`)
	right := 0
	for i, label := range labels { // the newest is first
		class := value[string](t, ctx, fmt.Sprintf(`document.querySelectorAll("#answers > li")[%d].querySelector(".class").textContent`, 9-i))
		if strings.HasSuffix(class, fmt.Sprint(label)) {
			right++
		}
	}
	if right < 9 {
		t.Errorf("%d of 10 digits are right", right)
	}

	seven, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, script(fmt.Sprintf(`(() => {
		const bytes = Uint8Array.from(atob(%q), (c) => c.charCodeAt(0)), dropped = new DataTransfer();
		dropped.items.add(new File([bytes], "<b>seven</b>.png", {type: "image/png"}));
		dropped.items.add(new File(["no picture"], "notes.txt"));
		document.getElementById("drop").dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: dropped}));
	})()`, base64.StdEncoding.EncodeToString(seven))))
	wait(t, ctx, `document.getElementById("state").textContent === "1 of 2 could not be predicted"`)
	said := value[[]string](t, ctx, `[...document.querySelectorAll("#answers > li")].slice(0, 2).map((li) => li.querySelector("h2").textContent + ": " + li.querySelector(".wrong, .class").textContent)`)
	if !strings.HasPrefix(said[0], "notes.txt: ") || strings.HasSuffix(said[0], ": ") || said[1] != "<b>seven</b>.png: "+value[string](t, ctx, `document.querySelectorAll("#answers > li")[11].querySelector(".class").textContent`) {
		t.Errorf("the page says %q", said)
	}
	do(t, ctx, chromedp.Sleep(500*time.Millisecond))
	picture(t, ctx, "serve.png")
	do(t, ctx, screen(390, 844, true), chromedp.Sleep(500*time.Millisecond))
	if wide := value[float64](t, ctx, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %g pixels wide on a phone of 390", wide)
	}
}
