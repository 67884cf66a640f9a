// The command demo makes the folder of LeNet in a browser tab, which any web server can host:
//
//	go run ./tools/demo -weights FILE -data datasets/mnist -out bin/demo
//
// It compiles demo/wasm, and puts it there with the page, the weights and a part of MNIST.
package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/demo"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
)

const (
	trains, tests = 20_000, 2_000 // digits for the training in the page
	largest       = 8_000_000     // bytes of the folder
)

func main() {
	weights := flag.String("weights", "", "weights `file` of the network")
	mnist := flag.String("data", "datasets/mnist", "`folder` of MNIST")
	out := flag.String("out", "bin/demo", "`folder` to make; what it holds is removed")
	work := flag.String("work", ".tools/demo", "`folder` for what the compiler reads")
	flag.Parse()
	if err := run(*weights, *mnist, *out, *work); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(weights, mnist, out, work string) error {
	m, err := modelfile.Read(weights)
	if err != nil {
		return err
	}
	if err := clear(out); err != nil {
		return err
	}
	if err := copyTree("demo/page", out); err != nil {
		return err
	}
	wasm, support, err := compile(work)
	if err != nil {
		return err
	}
	train, test, err := data.OpenMNIST(mnist)
	if err != nil {
		return err
	}
	digits, err := demo.Pack(train, test, trains, tests)
	if err != nil {
		return err
	}
	right, err := known(m, test)
	if err != nil {
		return err
	}
	about, err := json.Marshal(map[string]any{"accuracy": right, "tested": test.Len(), "train": trains, "test": tests})
	if err != nil {
		return err
	}
	content, err := os.ReadFile(weights)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"hubel.wasm.gz": wasm, "lenet.safetensors.gz": content, "digits.bin.gz": digits} {
		if err := zipped(filepath.Join(out, name), content); err != nil {
			return err
		}
	}
	for name, content := range map[string][]byte{"wasm_exec.js": support, "about.json": about} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o666); err != nil {
			return err
		}
	}
	size, err := sizeOf(out)
	if err != nil {
		return err
	}
	if size > largest {
		return fmt.Errorf("%s has %d bytes; at most %d are wanted", out, size, largest)
	}
	fmt.Printf("%s: %s, and a part of MNIST; %.1f MB. Any web server can host it, such as: python3 -m http.server -d %s\n", out, m.Network.Name, float64(size)/1e6, out)
	return nil
}

// clear makes an empty folder. One that is there has to be an older one of this program.
func clear(out string) error {
	entries, err := os.ReadDir(out)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(out, "hubel.wasm.gz")); err != nil {
			return fmt.Errorf("%s is no folder of this program: name another with -out, or remove it", out)
		}
		err = os.RemoveAll(out)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.MkdirAll(out, 0o777)
}

// copyTree copies the files of a folder.
func copyTree(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }

// known is the share of a test set that a network knows.
func known(m *modelfile.Model, test data.Dataset) (share float64, err error) {
	d, err := device.Open("cpu", device.Options{})
	if err != nil {
		return 0, err
	}
	defer command.Close(d, &err)
	p, err := predict.New(d, m, predict.Options{Batch: 1})
	if err != nil {
		return 0, err
	}
	defer command.Close(p, &err)
	right := 0
	digit := make([]float32, test.Shape().TotalSize())
	for i := range test.Len() {
		label, err := test.Read(digit, i)
		if err != nil {
			return 0, err
		}
		y, err := p.Predict(context.Background(), digit)
		if err != nil {
			return 0, err
		}
		if p.Top(y[0], 1)[0].Label == int(label) {
			right++
		}
	}
	return float64(right) / float64(test.Len()), nil
}

func zipped(path string, content []byte) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(content); err != nil {
			return err
		}
		return z.Close()
	})
}

// sizeOf is how many bytes the files of a folder have.
func sizeOf(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
