package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/solver"
)

// photos writes class folders of photographs of 20x24: those of "red" are, and
// those of "blue".
func photos(t *testing.T, dir string, each int) {
	t.Helper()
	for class, c := range map[string]color.RGBA{"red": {220, 60, 50, 255}, "blue": {40, 60, 230, 255}} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, class), 0o777))
		for i := range each {
			m := image.NewRGBA(image.Rect(0, 0, 24, 20))
			for p := range 24 * 20 {
				shade := uint8((p*i + p) % 30)
				m.SetRGBA(p%24, p/24, color.RGBA{c.R - shade, c.G + shade, c.B - shade, 255})
			}
			var b bytes.Buffer
			require.NoError(t, jpeg.Encode(&b, m, nil))
			require.NoError(t, os.WriteFile(filepath.Join(dir, class, fmt.Sprintf("%d.jpg", i)), b.Bytes(), 0o666))
		}
	}
}

// inPhotos makes a working directory with a network for photographs.
func inPhotos(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	cache := t.TempDir()
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, cache)
	}
	network := strings.Replace(strings.Replace(tinyNetwork, "[1, 8, 8]", "[3, 16, 16]", 1), `"out": 10`, `"out": 2`, 1)
	require.NoError(t, os.WriteFile("colour.json", []byte(network), 0o666))
	photos(t, "set", 20)
}

func TestTrainOnPhotographs(t *testing.T) {
	inPhotos(t)
	photos(t, "val", 5)
	require.NoError(t, os.WriteFile("set/red/broken.jpg", []byte("\xff\xd8 not a picture"), 0o666))
	require.NoError(t, os.WriteFile("set/red/\x1bempty.jpg", nil, 0o666))
	flags := []string{"-net", "colour.json", "-data", "set", "-batch", "8", "-preprocess", "mean,scale=0.01",
		"-augment", "resize=18,crop=16,flip,rotate=10@0.5,brightness=0.1,pca=0.1"}
	stdout := succeed(t, append(flags, "-val", "val", "-epochs", "3", "-out", "whole", "-threads", "1")...)
	require.Contains(t, stdout, "tiny on set into whole: 40 images to train, 10 to test; 15 iterations of 8")
	require.Contains(t, stdout, "files that cannot be used and are left out: 2; they are listed at the end")
	require.Regexp(t, `Files left out: 2\n  red/\?empty.jpg: it is empty\n  red/broken.jpg: `, stdout)
	require.Regexp(t, `epoch 3/3 .* accuracy 100.00 %`, stdout)

	m, err := solver.LoadWeights("whole/" + solver.WeightsFile)
	require.NoError(t, err)
	require.Equal(t, []string{"blue", "red"}, m.Classes)
	require.Equal(t, "resize=18,crop=16,flip,rotate=-10..10@0.5,brightness=0.9..1.1,pca=0.1", m.Preprocess.Augment.String())
	require.Len(t, m.Preprocess.Mean, 3)
	require.Len(t, m.Preprocess.Statistics.Variances, 3)

	// Stopped and resumed it leaves the same bytes.
	succeed(t, append(flags, "-val", "val", "-epochs", "1", "-out", "parts")...)
	succeed(t, "-resume", "parts", "-epochs", "3")
	same(t, "whole", "parts")

	require.Regexp(t, `tiny on the 10 test images of set: .* accuracy 100`, succeed(t, "-eval", "-weights", "whole/weights.safetensors", "-data", "set", "-val", "val"))
	require.Regexp(t, `tiny on the 40 test images of set(.|\n)*broken.jpg`, succeed(t, "-eval", "-weights", "whole/weights.safetensors", "-data", "set"))
	require.Regexp(t, `tiny on the 10 test images of set: .* accuracy 100`,
		succeed(t, "-eval", "-weights", "whole/weights.safetensors", "-data", "set", "-val", "val", "-ten-crop", "-batch", "7"))

	refused(t, "files that cannot be used: 2; red/\x1bempty.jpg: it is empty, for one", append(flags, "-val", "val", "-strict")...)
	refused(t, "set has nothing to test on", flags...)
	refused(t, "-split 0.01 puts none of the pictures of set aside to test on: a larger share does", append(flags, "-split", "0.01")...)
	refused(t, `data set "nowhere" is unknown`, append(flags, "-data", "nowhere", "-split", "0.1")...)
	refused(t, `a name with " -val " or " -split " in it`, append(flags, "-data", "set -val b", "-split", "0.1")...)
	refused(t, "-val and -split contradict each other", append(flags, "-val", "val", "-split", "0.1")...)
	refused(t, "nowhere", append(flags, "-val", "nowhere")...)
	require.NoError(t, os.Rename("val/red", "val/green"))
	refused(t, `is of the class "green", which the training set does not have`, append(flags, "-val", "val")...)
}

func TestNormalOfPhotographs(t *testing.T) {
	for want, o := range map[string][]options{
		"mean":     {{model: "alexnet"}, {model: "alexnet", init: "paper"}, {model: "alexnet-onetower", init: "caffe"}},
		"mean,std": {{model: "alexnet", init: "msra"}, {model: "lenet"}, {net: "network.json"}},
	} {
		for _, o := range o {
			p, err := o.photoOptions(nil, io.Discard)
			require.NoError(t, err)
			normal, err := data.ParseNormal(want)
			require.NoError(t, err)
			require.Equal(t, normal, p.Normal, "%s%s %s", o.model, o.net, o.init)
		}
	}
}

func TestTrainOnTarWithSplit(t *testing.T) {
	inPhotos(t)
	f, err := os.Create("set.tar")
	require.NoError(t, err)
	w := tar.NewWriter(f)
	require.NoError(t, w.AddFS(os.DirFS("set")))
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	stdout := succeed(t, "-net", "colour.json", "-data", "set.tar", "-split", "0.25,0.1", "-epochs", "1", "-lr", "0.0001")
	require.Contains(t, stdout, "tiny on set into runs/colour-set: 23 images to train, 14 to test")
	require.Contains(t, stdout, "-eval -weights runs/colour-set/weights.safetensors -data set.tar -split 0.25,0.1\n")
	require.NoError(t, os.Rename("set.tar", "my set's.tar"))
	refused(t, `data set "set.tar" is unknown`, "-resume", "runs/colour-set", "-epochs", "2")
	refused(t, "; if the data has moved, -data says where to, with -val or -split as before", "-resume", "runs/colour-set", "-epochs", "2")
	refused(t, "samples is 40, but the run was started with 23", "-resume", "runs/colour-set", "-epochs", "1", "-data", "my set's.tar", "-val", "set")
	stdout = succeed(t, "-resume", "runs/colour-set", "-epochs", "2", "-data", "my set's.tar", "-split", "0.25,0.1")
	require.Contains(t, stdout, ` -data 'my set'\''s.tar' -split 0.25,0.1`+"\n")
	require.NoError(t, os.Rename("my set's.tar", "set.tar"))
	stdout = succeed(t, "-eval", "-weights", "runs/colour-set/weights.safetensors", "-data", "set.tar", "-split", "0.25,0.1")
	require.Contains(t, stdout, "on the 3 test images", "the part that training never saw")

	// A folder of parts says itself what is what.
	require.NoError(t, os.MkdirAll("both", 0o777))
	require.NoError(t, os.Rename("set", "both/train"))
	photos(t, "both/val", 2)
	stdout = succeed(t, "-net", "colour.json", "-data", "both", "-epochs", "1", "-lr", "0.0001", "-out", "b")
	require.Contains(t, stdout, "40 images to train, 4 to test")
}

func TestAugmentOtherSets(t *testing.T) {
	tiny(t)
	succeed(t, with("-iters", "2", "-augment", "pad=1,crop=8", "-preprocess", "mean-image,std", "-out", "a")...)
	m, err := solver.LoadWeights("a/" + solver.WeightsFile)
	require.NoError(t, err)
	require.Len(t, m.Preprocess.Mean, 64)
	succeed(t, with("-iters", "2", "-preprocess", "whiten", "-out", "b")...)
	succeed(t, "-eval", "-weights", "b/weights.safetensors", "-data", "mnist:set")
	refused(t, "-ten-crop needs weights that were trained with a crop", "-eval", "-weights", "b/weights.safetensors", "-data", "mnist:set", "-ten-crop")
	succeed(t, "-resume", "b", "-iters", "4")

	// Weights that ask for ten crops are tested so: as the flag does.
	succeed(t, with("-iters", "2", "-augment", "pad=1,crop=8", "-ten-crop", "-out", "c")...)
	succeed(t, with("-iters", "2", "-augment", "pad=1,crop=8", "-out", "d")...)
	eval := func(run string, more ...string) string {
		return succeed(t, append([]string{"-eval", "-weights", run + "/weights.safetensors", "-data", "mnist:set"}, more...)...)
	}
	require.Equal(t, eval("d", "-ten-crop"), eval("c"))
	require.NotEqual(t, eval("d"), eval("c"))
	refused(t, "ten crops need a step of augmentation that crops", with("-iters", "2", "-ten-crop", "-out", "e")...)
	require.Contains(t, succeed(t, "-data", "mnist:set", "-augment", "pad=1,crop=8", "-preview", "6", "p.png"), "6 images of 8x8 from mnist in p.png")
	require.Contains(t, succeed(t, "-data", "synthetic:20,4", "-augment", "crop=8", "-preview", "2", "p.png"), "2 images of 8x8 from synthetic in p.png")

	for message, flags := range map[string][]string{
		"augmentation pca needs pictures in colour":        {"-augment", "pca=0.1"},
		`-augment: augmentation "flp" is unknown`:          {"-augment", "flp"},
		`-preprocess: preprocessing "men" is unknown`:      {"-preprocess", "men"},
		"-val and -split are for folders and tar files of": {"-val", "x"},
	} {
		refused(t, message, with(flags...)...)
	}
	refused(t, "-preprocess cannot change what -weights bring along", with("-weights", "a/weights.safetensors", "-preprocess", "mean")...)
	refused(t, "-augment has no meaning with -eval", "-eval", "-weights", "x", "-data", "mnist", "-augment", "flip")
}

func TestPreview(t *testing.T) {
	inPhotos(t)
	require.NoError(t, os.WriteFile("set/red/empty.jpg", nil, 0o666))
	require.Equal(t, "10 images of 12x12 from set in out.png\n\nFiles left out: 1\n  red/empty.jpg: it is empty\n",
		succeed(t, "-data", "set", "-augment", "crop=12,flip", "-preview", "10", "out.png", "-seed", "3"))
	_, err := os.Stat("out.png")
	require.NoError(t, err)
	refused(t, "the augmentation needs a crop", "-data", "set", "-augment", "flip", "-preview", "10", "out2.png")
	refused(t, "-preview needs a number and a file", "-data", "set", "-augment", "crop=12", "-preview", "10")
	refused(t, "-preview must be at least 1", "-data", "set", "-augment", "crop=12", "-preview", "0", "out2.png")
	refused(t, "-data is missing", "-preview", "3", "out2.png")
	require.NotEmpty(t, data.UserCache())
}
