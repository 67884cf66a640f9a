package data

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWebDataset gives members as "NAME TEXT", or "NAME" alone of a picture.
func TestWebDataset(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	masks := ""
	for i := range 5 {
		masks += fmt.Sprintf("000%d.png\n000%[1]d.mask.png\n000%[1]d.cls %d\n", i, i%2)
	}
	dots := ""
	for i := range 8 {
		dots += fmt.Sprintf("cam1.000%d.png\ncam1.000%[1]d.cls %d\n", i, i%2)
	}
	captions := ""
	for i := range 24 {
		captions += fmt.Sprintf("%d.jpg\n%[1]d.txt a photograph of %[1]d\n", i)
	}
	for name, c := range map[string]struct{ members, want, skipped, err string }{
		"a mask is no sample": {masks, "0000.png 0\n0001.png 1\n0002.png 0\n0003.png 1\n0004.png 0",
			"0000.mask.png: as .mask.png it is not the photograph of its sample\n0001.mask.png: as .mask.png it is not the photograph of its sample\n" +
				"0002.mask.png: as .mask.png it is not the photograph of its sample\n0003.mask.png: as .mask.png it is not the photograph of its sample\n" +
				"0004.mask.png: as .mask.png it is not the photograph of its sample", ""},
		"many pictures of a key": {dots, "", "", `cam1.0000.png: it is one of 8 pictures of the WebDataset key "cam1", which ends at the first dot of a name, for one`},
		"one picture of a key, with dots": {"a.1.jpg\na.1.cls 0\nd.x/b.2.jpg\nd.x/b.2.cls 1",
			"a.1.jpg 0\nd.x/b.2.jpg 1", "", ""},
		"a picture by its word": {"1.rgb.png\n1.seg_ids.png\n1.cls 0\n2.mask.png\n2.cls 0", "1.rgb.png 0",
			"1.seg_ids.png: as .seg_ids.png it is not the photograph of its sample\n2.mask.png: as .mask.png it is not the photograph of its sample", ""},
		"a JPEG goes before": {"1.png\n1.JPG\n1.cls 0\n2.png\n2.seg.jpg\n2.cls 1", "1.JPG 0\n2.png 1",
			"1.png: as .png it is not the photograph of its sample\n2.seg.jpg: as .seg.jpg it is not the photograph of its sample", ""},
		"a picture goes before an array": {"1.png\n1.npy\n1.cls 0\n2.npy\n2.jpg\n2.cls 1", "1.png 0\n2.jpg 1",
			"1.npy: as .npy it is not the photograph of its sample\n2.npy: as .npy it is not the photograph of its sample", ""},
		"two JPEGs do not": {"1.jpg\n1.jpeg\n1.cls 0\n2.jpg\n2.cls 0", "2.jpg 0",
			"1.jpeg: it is one of 2 pictures of the WebDataset key \"1\", which ends at the first dot of a name\n1.jpg: it is one of 2 pictures of the WebDataset key \"1\", which ends at the first dot of a name", ""},
		"keys are of folders":            {"a/1.jpg\nb/1.jpg\na/1.cls 0\n./b/1.CLS 1", "a/1.jpg 0\nb/1.jpg 1", "", ""},
		"a label without a picture":      {"1.jpg\n1.cls 0\n2.cls 1\n3.json {}", "1.jpg 0", "2.cls: there is no picture beside it\n3.json: there is no picture beside it", ""},
		"a picture without a label":      {"1.jpg\n1.cls 0\n2.jpg\n3.jpg\n3.json {\"label\": 1}", "1.jpg 0", "2.jpg: there is no .cls member beside it\n3.jpg: there is no .cls member beside it", ""},
		"a number below 0":               {"1.jpg\n1.cls 0\n2.jpg\n2.cls -1", "1.jpg 0", "2.jpg: its .cls member says -1, but classes are counted from 0", ""},
		"a byte-order mark and CR":       {"1.jpg\n1.cls \ufeff1\r\n2.jpg\n2.json \ufeff{}\n2.cls 0", "1.jpg 1\n2.jpg 0", "", ""},
		"lines":                          {"1.jpg\n1.cls 1\\n2\n2.jpg\n2.cls 0", "2.jpg 0", "1.jpg: its .cls member is more than a label", ""},
		"labels that differ: .json":      {"1.jpg\n1.cls 0\n1.json {\"label\": 1}\n2.jpg\n2.cls 1\n2.json {\"label\": 1}", "2.jpg 1", `1.jpg: its labels differ: "0" in 1.cls, "1" in 1.json`, ""},
		"labels that differ: .txt":       {"1.jpg\n1.cls cat\n1.txt dog\n2.jpg\n2.cls dog\n2.txt a dog", "2.jpg dog", `1.jpg: its labels differ: "cat" in 1.cls, "dog" in 1.txt`, ""},
		"labels that differ: .cls":       {"1.jpg\n1.cls 0\n1.CLS 1\n2.jpg\n2.cls 1\n2.CLS 01", "2.jpg 1", `1.jpg: its labels differ: "0" in 1.cls, "1" in 1.CLS`, ""},
		"labels that differ: deeper":     {"1.jpg\n1.fine.cls 0\n1.coarse.cls 1\n2.jpg\n2.fine.cls 1\n2.coarse.cls 0\n2.cls 1", "2.jpg 1", `1.jpg: its labels differ: "0" in 1.fine.cls, "1" in 1.coarse.cls`, ""},
		"a name beside a number":         {"1.jpg\n1.cls 0\n1.json {\"class_name\": \"tench\"}\n1.txt a fish", "1.jpg 0", "", ""},
		"json":                           {"1.jpg\n1.json {\"label\": 1, \"class_name\": \"b\"}\n2.jpg\n2.json {\"label\": 0.0, \"id\": [7]}\n3.jpg\n3.json {\"label\": \"02\"}", "1.jpg 1\n2.jpg 0\n3.jpg 2", "", ""},
		"json of names":                  {"1.jpg\n1.json {\"class_name\": \"tench\"}\n2.jpg\n2.json {\"class_name\": \"crane\", \"label\": null}", "1.jpg tench\n2.jpg crane", "", ""},
		"json that is a label":           {"1.jpg\n1.json 1\n2.jpg\n2.json \"0\"", "1.jpg 1\n2.jpg 0", "", ""},
		"json without the field":         {"1.jpg\n1.json {\"label\": 0}\n2.jpg\n2.json {\"class_name\": \"b\"}", "1.jpg 0", `2.jpg: there is no .json member with "label" beside it`, ""},
		"json of another kind":           {"1.jpg\n1.json {\"label\": 0}\n2.jpg\n2.json {\"label\": [1, 2]}\n3.jpg\n3.json {\"label\": 0.5}\n4.jpg\n4.json {\"label\": ", "1.jpg 0", "2.jpg: its .json member has a label that is neither text nor a number\n3.jpg: its .json member says 0.5, which is the number of no class\n4.jpg: its .json member is not JSON", ""},
		"img2dataset":                    {"1.jpg\n1.txt a cat\n1.json {\"caption\": \"a cat\", \"url\": \"u\"}\n2.jpg\n2.txt a dog\n2.json {\"caption\": \"a dog\"}\n3.jpg\n3.txt a cat", "1.jpg a cat\n2.jpg a dog\n3.jpg a cat", "", ""},
		"captions":                       {captions, "", "", "the .txt members beside 24 pictures hold 24 different texts: captions rather than classes; a .cls member beside each"},
		"class folders":                  {"cat/1.x.jpg\ndog/1.x.jpg\ndog/1.y.jpg\ndog/1.txt a dog\ndog/1.json {\"id\": 1}\nREADME.txt text", "cat/1.x.jpg cat\ndog/1.x.jpg dog\ndog/1.y.jpg dog", "README.txt: there is no picture beside it\ndog/1.json: " + notAPicture + "\ndog/1.txt: " + notAPicture, ""},
		"class folders and other labels": {"00/1.jpg\n00/1.json {\"label\": 0}\n00/2.jpg\n00/2.json {\"label\": 1}\n01/3.jpg\n01/3.json {\"label\": 0}", "", "", `pictures are in class folders, but labels in their .json members divide them otherwise: 00/2.jpg has "1"; a .cls member beside each picture decides`},
		"folders in class folders":       {"one/cat/1.jpg\none/cat/1.json {\"label\": 5}\ntwo/cat/3.jpg\ntwo/cat/3.json {\"label\": 5}", "one/cat/1.jpg one\ntwo/cat/3.jpg two", "one/cat/1.json: " + notAPicture + "\ntwo/cat/3.json: " + notAPicture, ""},
		"class folders and masks":        {"cat/1.png\ncat/1.seg.png\ncat/2.seg.png\ndog/1.png\ndog/1.label-ids.png\ndog/1.txt x", "cat/1.png cat\ncat/2.seg.png cat\ndog/1.png dog", "cat/1.seg.png: as .seg.png it is not the photograph beside it\ndog/1.label-ids.png: as .label-ids.png it is not the photograph beside it\ndog/1.txt: " + notAPicture, ""},
		"class folders and the same":     {"cat/1.jpg\ncat/1.json {\"label\": 5}\ndog/3.jpg\ndog/3.json {\"label\": 2}", "cat/1.jpg cat\ndog/3.jpg dog", "cat/1.json: " + notAPicture + "\ndog/3.json: " + notAPicture, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var members []member
			for line := range strings.SplitSeq(strings.TrimSuffix(c.members, "\n"), "\n") {
				name, text, isText := strings.Cut(line, " ")
				m := member{name: name, content: j}
				if isText {
					m.content = []byte(strings.ReplaceAll(text, `\n`, "\n"))
				}
				members = append(members, m)
			}
			f, err := OpenFiles(writeFile(t, "a.tar", tarOf(t, members...)))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.ElementsMatch(t, strings.Split(c.want, "\n"), listing(f))
			var skipped []string
			for _, s := range f.Skipped() {
				skipped = append(skipped, s.Name+": "+s.Reason)
			}
			if c.skipped == "" {
				require.Empty(t, skipped)
			} else {
				require.ElementsMatch(t, strings.Split(c.skipped, "\n"), skipped)
			}
		})
	}
}

// A mask beside a photograph is no picture of the class, in a folder as in a tar file.
func TestMasksInClassFolders(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{"cat/1.jpg": j, "cat/1.mask.png": j, "cat/2.mask.png": j, "dog/3.jpg": j, "dog/4.left.jpg": j})
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"cat/1.jpg cat", "cat/2.mask.png cat", "dog/3.jpg dog", "dog/4.left.jpg dog"}, listing(f))
	require.Equal(t, []Skip{{Name: "cat/1.mask.png", Reason: "as .mask.png it is not the photograph beside it"}}, f.Skipped())
}

// TestWebDatasetKeysAreOfTheirTar: a key of another tar file is another
// sample, and no sample lies in two.
func TestWebDatasetKeysAreOfTheirTar(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{
		"0.tar": tarOf(t, member{name: "1.jpg", content: j}, member{name: "1.cls", content: []byte("0")}, member{name: "2.jpg", content: j}),
		"1.tar": tarOf(t, member{name: "1.jpg", content: j}, member{name: "1.cls", content: []byte("1")}, member{name: "2.cls", content: []byte("1")}),
	})
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"1.jpg 0", "1.jpg 1"}, listing(f))
	require.Equal(t, map[string]string{"0.tar: 2.jpg": "there is no .cls member beside it", "1.tar: 2.cls": "there is no picture beside it"}, skips(f))
}
