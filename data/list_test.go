package data

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenList(t *testing.T) {
	j, p := asJPEG(t, drawn(8, 8, 0)), asPNG(t, drawn(8, 8, 1))
	dir, elsewhere := t.TempDir(), t.TempDir()
	far := filepath.Join(elsewhere, "far away.png")
	writeTree(t, elsewhere, map[string][]byte{"far away.png": p})
	writeTree(t, dir, map[string][]byte{
		"a/1.JPEG": j, "a/two words.jpg": j, "b": p, "empty.jpg": nil,
		"train.txt": []byte("\ufeffa/1.JPEG 2\r\na/two words.jpg\t0\r\n\r\n./b 10\n" + far + " 2\n" +
			"gone.jpg 1\nempty.jpg 1\na/1.JPEG 2\na 1\n"),
	})
	f, err := OpenFiles(filepath.Join(dir, "train.txt"))
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}, f.Classes())
	require.ElementsMatch(t, bare([]string{"a/1.JPEG 2", "a/two words.jpg 0", "./b 10", filepath.ToSlash(far) + " 2"}), bare(listing(f)))
	require.Equal(t, map[string]string{
		"gone.jpg": "it is not there", "empty.jpg": "it is empty", "a/1.JPEG": "line 8 lists it again", "a": "it is not a regular file",
	}, skips(f))
	for i := range f.Len() {
		want := j
		if !strings.HasPrefix(f.Name(i), "a/") {
			want = p
		}
		b, err := f.Load(nil, i)
		require.NoError(t, err)
		require.Equal(t, want, b)
	}

	// A test list has fewer classes; they are those of the training list.
	writeTree(t, dir, map[string][]byte{"val.txt": []byte("b 2\n")})
	val, err := OpenFiles(filepath.Join(dir, "val.txt"))
	require.NoError(t, err)
	require.NoError(t, val.Relabel(f.Classes()))
	require.Equal(t, int32(2), val.Label(0))
}

func TestListNamesItsClasses(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "train.txt")
	writeTree(t, dir, map[string][]byte{
		"1.png": asPNG(t, drawn(8, 8, 1)), "2.png": asPNG(t, drawn(8, 8, 2)), "train.txt": []byte("1.png 1\n2.png 0\n"),
		"synset_words.txt": []byte("\ufeffn01440764 tench, Tinca tinca\r\nn01443537 goldfish\r\nn01484850 great white shark\r\n\r\n"),
	})
	f, err := OpenFiles(list)
	require.NoError(t, err)
	require.Equal(t, []string{"n01440764 tench, Tinca tinca", "n01443537 goldfish", "n01484850 great white shark"}, f.Classes())
	require.Equal(t, []string{"1.png n01443537 goldfish", "2.png n01440764 tench, Tinca tinca"}, listing(f))

	for text, want := range map[string]string{
		"crane\n":        "names 1 classes, but " + list + " has a class 1, counted from 0",
		"crane\n\nx\n":   "line 2 is empty, where the name of class 1 should be",
		"crane\ncrane\n": `lines 1 and 2 are both "crane"; each class needs a name of its own`,
	} {
		writeTree(t, dir, map[string][]byte{"synset_words.txt": []byte(text)})
		_, err := OpenFiles(list)
		require.ErrorContains(t, err, filepath.Join(dir, "synset_words.txt"))
		require.ErrorContains(t, err, want)
	}

	// A list of that name does not name its own classes.
	require.NoError(t, os.Remove(filepath.Join(dir, "synset_words.txt")))
	require.NoError(t, os.Rename(list, filepath.Join(dir, "labels.txt")))
	f, err = OpenFiles(filepath.Join(dir, "labels.txt"))
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1"}, f.Classes())
}

func TestListRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "the list is empty",
		"\n\n":                               "the list is empty",
		"1.jpg 0\n2.jpg\n":                   "line 2 is not the path of a picture and the number of its class",
		"1.jpg cat\n":                        "line 1 is not the path",
		"1.jpg -1\n":                         "line 1 is not the path",
		"1.jpg 0.5\n":                        "line 1 is not the path",
		"1.jpg 99999999999\n":                "line 1 is not the path",
		" 7\n":                               "line 1 is not the path",
		"1.jpg 0\n./1.jpg 3\n":               "line 2 gives ./1.jpg the class 3, and line 1 gave it 0",
		"a/1.jpg 0\nb/2.jpg 1\n":             "2 of its pictures are not there, such as a/1.jpg: paths begin at the list's folder, so put the list where the pictures are",
		strings.Repeat("x", 70_000) + " 0\n": "line 1: bufio.Scanner: token too long",
	} {
		_, err := OpenFiles(writeFile(t, "list.txt", []byte(text)))
		require.ErrorContains(t, err, want)
	}
}

func FuzzList(f *testing.F) {
	f.Add("a/1.JPEG 2\na/two words.jpg\t0\n\n./b 10\n./b 10\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseList(strings.Split(text, "\n"))
		if err != nil {
			return
		}
		classes := map[string]string{}
		for _, l := range list {
			n, err := strconv.Atoi(l.class)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, 0)
			require.NotEmpty(t, l.name)
			class, ok := classes[cleaned(l.name)]
			require.Equal(t, ok, l.again)
			require.True(t, !ok || class == l.class)
			classes[cleaned(l.name)] = l.class
		}
	})
}
