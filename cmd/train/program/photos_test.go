package program

import (
	"archive/tar"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/modelfile"
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
	require.Regexp(t, `Files left out: 2\n  "red/\\x1bempty.jpg": it is empty\n  red/broken.jpg: `, stdout)
	require.Regexp(t, `epoch 3/3 .* accuracy 100.00 %`, stdout)

	m, err := modelfile.Read("whole/" + solver.WeightsFile)
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
	refused(t, `a name with " -val ", " -split ", " -classes ", " -each " or " -order " in it`, append(flags, "-data", "set -val b", "-split", "0.1")...)
	refused(t, "-val and -split contradict each other", append(flags, "-val", "val", "-split", "0.1")...)
	refused(t, "nowhere", append(flags, "-val", "nowhere")...)
	require.NoError(t, os.Rename("val/red", "val/green"))
	refused(t, `is of the class "green", which the training set does not have`, append(flags, "-val", "val")...)
}

// Some classes and a few pictures of each are a set of their own, which a run remembers.
func TestSomeClassesAndPictures(t *testing.T) {
	inPhotos(t)
	require.NoError(t, os.CopyFS("set/green", os.DirFS("set/red")))
	require.NoError(t, os.CopyFS("val", os.DirFS("set")))
	flags := []string{"-net", "colour.json", "-data", "set", "-val", "val", "-classes", "red,0", "-each", "6@3", "-batch", "4", "-out", "few"}
	stdout := succeed(t, append(flags, "-epochs", "1")...)
	require.Contains(t, stdout, `tiny on set into few: 12 images to train, 40 to test; 3 iterations of 4 on cpu; 2 classes: "blue", "red"`)
	again := "-eval -weights few/weights.safetensors -data set -val val -classes red,0 -each 6@3"
	require.Contains(t, stdout, again+"\n")
	require.Contains(t, succeed(t, strings.Fields(again)...), "on the 40 test images of set")
	require.Contains(t, succeed(t, "-resume", "few", "-epochs", "2"), "12 images to train, 40 to test")
	refused(t, "there are 14 samples to train on, but the run was started with 12", "-resume", "few", "-epochs", "3", "-data", "set", "-val", "val", "-classes", "red,0", "-each", "7@3")
	refused(t, `-classes "5": "5" is neither a class nor the numbers of classes; there are 3: blue, green, red`, append(flags, "-out", "x", "-classes", "5")...)
	refused(t, `-each "none": it is a number of pictures`, append(flags, "-out", "x", "-each", "none")...)
	refused(t, "-val, -split, -classes, -each and -order need -data", "-resume", "few", "-each", "3")
	refused(t, `in it is taken for these flags`, append(flags, "-out", "x", "-classes", "red -each 3", "-each", "")...)
}

func TestNormalOfPhotographs(t *testing.T) {
	for want, o := range map[string][]options{
		"mean":     {{model: "alexnet"}, {model: "alexnet", init: "paper"}, {model: "alexnet-onetower", init: "caffe"}},
		"mean,std": {{model: "alexnet", init: "msra"}, {model: "alexnet", dataInit: 64}, {model: "lenet"}, {net: "network.json"}},
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
	refused(t, "; if the data has moved, -data says where to, with -val, -split, -classes, -each and -order as before", "-resume", "runs/colour-set", "-epochs", "2")
	refused(t, "there are 40 samples to train on, but the run was started with 23; name the same data, divided in the same way", "-resume", "runs/colour-set", "-epochs", "1", "-data", "my set's.tar", "-val", "set")
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

// The index of a tar file changes nothing but the time that a start takes: a run with
// one ends with the bytes of a run without.
func TestIndexOfARun(t *testing.T) {
	inPhotos(t)
	writeTar(t, "set.tar", "set", true)
	flags := []string{"-net", "colour.json", "-data", "set.tar", "-split", "0.25", "-batch", "8", "-lr", "0.001"}
	kept := func(dir string) int {
		names, err := filepath.Glob(filepath.Join(dir, "set-*.index"))
		require.NoError(t, err)
		return len(names)
	}
	succeed(t, append(flags, "-epochs", "2", "-index", "off", "-out", "without")...)
	require.Zero(t, kept("without"))
	for _, out := range []string{"first", "second"} {
		succeed(t, append(flags, "-epochs", "2", "-index", "ix", "-out", out)...)
		require.Equal(t, 1, kept("ix"))
		require.Zero(t, kept(out))
		sameWeights(t, "without", out)
	}
	refused(t, "-index: set.tar is not a folder", append(flags, "-index", "set.tar", "-out", "x")...)
	refused(t, "-index has no meaning with -summary", "-summary", "-model", "lenet", "-index", "ix")
	refused(t, "-split 0.01 puts none of the pictures", "-net", "colour.json", "-data", "set.tar", "-split", "0.01", "-out", "x")

	succeed(t, append(flags, "-epochs", "1", "-out", "run")...)
	require.Equal(t, 1, kept("run"))
	index, err := filepath.Glob("run/set-*.index")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(index[0], []byte("text"), 0o666))
	code, _, stderr := call(t, "-resume", "run", "-epochs", "2")
	require.Equal(t, command.Done, code)
	require.Equal(t, 1, strings.Count(stderr, "train: "+index[0]+" is not used: it is no index, or one of another version; the tar files are indexed again\n"), stderr)
	sameWeights(t, "without", "run")
	require.Contains(t, succeed(t, "-eval", "-weights", "run/weights.safetensors", "-data", "set.tar", "-split", "0.25", "-index", "ix"), "on the 14 test images")
}

// A run goes on with the very pictures that it began with, however they are
// stored, and with no others.
func TestResumeKnowsItsPictures(t *testing.T) {
	inPhotos(t)
	writeTar(t, "set.tar", "set", true)
	flags := []string{"-net", "colour.json", "-split", "0.25", "-batch", "8", "-lr", "0.001"}
	succeed(t, append(flags, "-data", "set", "-epochs", "2", "-out", "whole")...)
	succeed(t, append(flags, "-data", "set", "-epochs", "1", "-out", "parts")...)
	refused(t, "the training set is not the one that the run was started with: the names or the labels of its 26 samples differ",
		"-resume", "parts", "-epochs", "2", "-data", "set.tar", "-split", seedLike(t, "set", 26))
	require.NoError(t, os.Rename("set/red/0.jpg", "set/red/c.jpg"))
	refused(t, "is not the one that the run was started with", "-resume", "parts", "-epochs", "2")
	require.NoError(t, os.Rename("set/red/c.jpg", "set/red/0.jpg"))
	succeed(t, "-resume", "parts", "-epochs", "2", "-data", "set.tar", "-split", "0.25")
	sameWeights(t, "whole", "parts")

	// What an earlier hubel left does not say which pictures it saw.
	forget(t, "parts")
	refused(t, "parts was begun when -split 0.25 put other pictures aside than it does now", "-resume", "parts", "-epochs", "3", "-data", "set.tar", "-split", "0.25")
	for run, said := range map[string]bool{"parts": true, "whole": false} {
		code, _, stderr := call(t, "-eval", "-weights", run+"/best.safetensors", "-data", "set.tar", "-split", "0.25")
		require.Equal(t, command.Done, code, stderr)
		require.Equal(t, said, strings.Contains(stderr, "train: parts/best.safetensors comes from a run that was begun when -split 0.25 put other pictures aside than it does now: some that it is tested on may be some that it was trained on\n"), stderr)
	}
	photos(t, "val", 2)
	succeed(t, "-net", "colour.json", "-data", "set.tar", "-val", "val", "-epochs", "1", "-batch", "8", "-out", "plain")
	refused(t, "the test set is not the one", "-resume", "plain", "-epochs", "2", "-data", "set.tar", "-val", "set")
	forget(t, "plain")
	code, _, stderr := call(t, "-resume", "plain", "-epochs", "2")
	require.Equal(t, command.Done, code, stderr)
	require.Contains(t, stderr, "train: the run was begun when pictures of tar files still came in the order in which they are stored")
	require.NotContains(t, progressLine.ReplaceAllString(succeed(t, "-resume", "plain", "-epochs", "3"), ""), "order")
}

// sameWeights requires that two runs end with the same bytes.
func sameWeights(t *testing.T, a, b string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join(a, solver.WeightsFile))
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(b, solver.WeightsFile))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
}

// seedLike is another split of a folder that leaves as many pictures to train on.
func seedLike(t *testing.T, dir string, n int) string {
	t.Helper()
	f, err := data.OpenFiles(dir)
	require.NoError(t, err)
	for seed := 2; ; seed++ {
		text := fmt.Sprintf("0.25@%d", seed)
		s, err := data.ParseSplit(text)
		require.NoError(t, err)
		if train, _, _, err := f.Parts(s); err == nil && train.Len() == n {
			return text
		}
	}
}

// forget makes a run's checkpoint one of a hubel that did not keep names.
func forget(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, solver.CheckpointFile)
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	var tensors []safetensors.Tensor
	for _, x := range f.Tensors() {
		value, err := f.ReadDense(x.Name)
		require.NoError(t, err)
		tensors = append(tensors, safetensors.Tensor{Name: x.Name, Value: value})
	}
	metadata := maps.Clone(f.Metadata())
	require.NoError(t, f.Close())
	require.Contains(t, metadata, "sets")
	delete(metadata, "sets")
	require.NoError(t, safetensors.Write(path, tensors, metadata))
}

// writeTar packs a folder, in order of the names or the other way round.
func writeTar(t *testing.T, path, dir string, backwards bool) {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	if backwards {
		slices.Reverse(names)
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	w := tar.NewWriter(f)
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, w.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(content)), Format: tar.FormatGNU}))
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
}

// Folders that are named like parts are parts, and the first lines say which.
func TestTrainOnParts(t *testing.T) {
	inPhotos(t)
	photos(t, "both/top/training", 6)
	photos(t, "both/top/Valid", 3)
	photos(t, "both/top/TEST", 2)
	writeTar(t, "both.tar", "both", true)
	var outputs []string
	for _, set := range []string{"both", "both.tar"} {
		run := "run-" + set
		stdout := succeed(t, "-net", "colour.json", "-data", set, "-epochs", "1", "-lr", "0.0001", "-batch", "4", "-out", run)
		require.Contains(t, stdout, "12 images to train, 6 to test; 3 iterations of 4 on cpu; 2 classes: \"blue\", \"red\"\n"+
			"parts of the data: \"training\" to train on, \"Valid\" to test on, \"TEST\" for -eval alone\n")
		outputs = append(outputs, succeed(t, "-eval", "-weights", run+"/weights.safetensors", "-data", set))
		require.Contains(t, outputs[len(outputs)-1], "tiny on the 4 test images of both/TEST: ")
		refused(t, `has parts, "training" and "Valid" and "TEST": leave -val and -split out`, "-net", "colour.json", "-data", set, "-split", "0.1")
	}
	require.Equal(t, outputs[0], outputs[1])
	sameWeights(t, "run-both", "run-both.tar")
	require.NoError(t, os.RemoveAll("both/top/training"))
	refused(t, `the folder "TEST" is named like a part of a set, not like a class`, "-net", "colour.json", "-data", "both", "-split", "0.1")
}

// A class whose name is not UTF-8 is itself in a folder, in a tar file and in the
// weights.
func TestClassInLatin1(t *testing.T) {
	inPhotos(t)
	if err := os.Rename("set/red", "set/caf\xe9"); err != nil {
		t.Skipf("this system's names are Unicode: %v", err)
	}
	require.NoError(t, os.Rename("set/blue", "set/caf\xe8"))
	writeTar(t, "set.tar", "set", false)
	var outputs []string
	for _, pair := range [][2]string{{"set", "set.tar"}, {"set.tar", "set"}} {
		stdout := succeed(t, "-net", "colour.json", "-data", pair[0], "-split", "0.25", "-epochs", "1", "-out", "run-"+pair[0])
		require.Contains(t, stdout, `2 classes: "caf\xe8", "caf\xe9"`)
		m, err := modelfile.Read("run-" + pair[0] + "/weights.safetensors")
		require.NoError(t, err)
		require.Equal(t, []string{"caf\xe8", "caf\xe9"}, m.Classes)
		outputs = append(outputs, succeed(t, "-eval", "-weights", "run-"+pair[0]+"/weights.safetensors", "-data", pair[1]))
		succeed(t, "-resume", "run-"+pair[0], "-epochs", "2", "-data", pair[1], "-split", "0.25")
	}
	require.Equal(t, outputs[0], outputs[1])
	sameWeights(t, "run-set", "run-set.tar")
}

func TestRunNameOfHere(t *testing.T) {
	inPhotos(t)
	require.NoError(t, os.Rename("colour.json", "set/colour.json"))
	t.Chdir("set")
	stdout := succeed(t, "-net", "colour.json", "-data", ".", "-split", "0.25", "-epochs", "1", "-out", "../run")
	require.Contains(t, stdout, "tiny on set into ../run")
	for path, want := range map[string]string{".": "set", "..": filepath.Base(filepath.Dir(must(os.Getwd()))), "./": "set", "/": "root", "red": "red", "../set/./blue/": "blue"} {
		require.Equal(t, want, dataName(path), path)
	}
	require.NoError(t, os.Mkdir(".hidden", 0o777))
	require.Equal(t, ".hidden", dataName(".hidden"))
	require.Equal(t, "mnist", dataName("mnist:somewhere"))
}

func must(dir string, err error) string {
	if err != nil {
		panic(err)
	}
	return dir
}

func TestAugmentOtherSets(t *testing.T) {
	tiny(t)
	succeed(t, with("-iters", "2", "-augment", "pad=1,crop=8", "-preprocess", "mean-image,std", "-out", "a")...)
	m, err := modelfile.Read("a/" + solver.WeightsFile)
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
		"augmentation pca needs pictures in colour":                                 {"-augment", "pca=0.1"},
		`-augment: augmentation "flp" is unknown`:                                   {"-augment", "flp"},
		`-preprocess: preprocessing "men" is unknown`:                               {"-preprocess", "men"},
		"-val, -split, -classes, -each and -order are for folders and tar files of": {"-val", "x"},
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
