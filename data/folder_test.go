package data

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// links makes links, or skips the test where there are none.
func links(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := os.Symlink(pairs[i+1], pairs[i]); err != nil {
			t.Skipf("this system makes no links: %v", err)
		}
	}
}

func TestFolderFollowsLinks(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	elsewhere, dir := t.TempDir(), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	writeTree(t, elsewhere, map[string][]byte{"cats/1.jpg": j, "cats/deep/2.jpg": j, "one.jpg": j})
	writeTree(t, dir, map[string][]byte{"dog/1.jpg": j})
	links(t,
		at("cat"), filepath.Join(elsewhere, "cats"), // a class
		at("dog/2.jpg"), filepath.Join(elsewhere, "one.jpg"), // a picture
		at("dog/3.jpg"), filepath.Join(elsewhere, "none.jpg"), // nothing
		at("dog/round"), "..", // circles
		at("dog/round.jpg"), ".",
		filepath.Join(elsewhere, "cats", "deep", "up"), "..",
	)
	whole := filepath.Join(t.TempDir(), "link")
	links(t, whole, dir)
	for _, path := range []string{dir, whole, whole + "/"} {
		f, err := OpenFiles(path)
		require.NoError(t, err)
		require.Equal(t, []string{"cat/1.jpg cat", "cat/deep/2.jpg cat", "dog/1.jpg dog", "dog/2.jpg dog"}, listing(f))
		for i := range f.Len() {
			b, err := f.Load(nil, i)
			require.NoError(t, err)
			require.Equal(t, j, b)
		}
		got := skips(f)
		require.Len(t, got, 4)
		require.Contains(t, got["dog/3.jpg"], "no such file")
		for _, name := range []string{"dog/round", "dog/round.jpg", "cat/deep/up"} {
			require.Contains(t, got[name], "it is a link to a folder that it is in, ")
		}
	}

	names, skipped, err := Pictures(whole)
	require.NoError(t, err)
	require.Equal(t, []string{whole + "/cat/1.jpg", whole + "/cat/deep/2.jpg", whole + "/dog/1.jpg", whole + "/dog/2.jpg"}, names)
	require.Len(t, skipped, 4)
	require.Equal(t, filepath.Join(whole, "cat", "deep", "up"), skipped[0].Name)

	// Folders full of links to one another have an end.
	dir = t.TempDir()
	for a := range 12 {
		writeTree(t, dir, map[string][]byte{fmt.Sprintf("%d/1.jpg", a): j})
		for b := range 12 {
			links(t, filepath.Join(dir, fmt.Sprint(a), fmt.Sprint("to", b)), filepath.Join("..", fmt.Sprint(b)))
		}
	}
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Len(t, f.Classes(), 12)
	require.LessOrEqual(t, f.Len(), 12*(1+linkedOften))
}

func TestOneFolderThatCannotBeRead(t *testing.T) {
	if os.Getuid() <= 0 || runtime.GOOS == "windows" {
		t.Skip("whoever runs this may read every folder")
	}
	j := asJPEG(t, drawn(8, 8, 0))
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{"cat/1.jpg": j, "cat/shut/2.jpg": j, "dog/1.jpg": j})
	shut := filepath.Join(dir, "cat", "shut")
	require.NoError(t, os.Chmod(shut, 0))
	t.Cleanup(func() { _ = os.Chmod(shut, 0o777) })
	f, err := OpenFiles(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"cat/1.jpg cat", "dog/1.jpg dog"}, listing(f))
	require.Equal(t, map[string]string{"cat/shut": "permission denied"}, skips(f))
	names, skipped, err := Pictures(dir)
	require.NoError(t, err)
	require.Len(t, names, 2)
	require.Equal(t, []Skip{{Name: shut, Reason: "permission denied"}}, skipped)
}

// What systems leave behind is none of the set, in folders and in tar files.
func TestIgnoredNames(t *testing.T) {
	j := asJPEG(t, drawn(8, 8, 0))
	junk := []string{
		"@eaDir/1.jpg", "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "$RECYCLE.BIN/x.jpg", "System Volume Information/x.jpg", "lost+found/x.jpg",
		"cat/Thumbs.db", "dog/desktop.ini", "dog/Desktop.ini", "dog/.DS_Store", "dog/._1.jpg", "__MACOSX/dog/._1.jpg", "__MACOSX/dog/1.jpg", "cat/#recycle/1.jpg",
		"PaxHeaders.0/1.jpg", ".Trash-1000/files/1.jpg", "cat/.ipynb_checkpoints/1-checkpoint.jpg", "dog/Icon\r",
	}
	files := map[string][]byte{"cat/1.jpg": j, "dog/1.jpg": j, "dog/recycled bin.jpg": j}
	var members []member
	for _, name := range junk {
		files[name] = j
	}
	for name, content := range files {
		members = append(members, member{name: name, content: content})
	}
	dir := filepath.Join(t.TempDir(), "set")
	writeTree(t, dir, files)
	shards := t.TempDir()
	writeTree(t, shards, map[string][]byte{"0.tar": tarOf(t, members...), "@eaDir/0.tar": []byte("x"), "Thumbs.db": j, "._0.tar": j})
	for _, path := range []string{dir, shards, filepath.Join(shards, "0.tar")} {
		f, err := OpenFiles(path)
		require.NoError(t, err)
		require.Equal(t, []string{"cat/1.jpg cat", "dog/1.jpg dog", "dog/recycled bin.jpg dog"}, listing(f))
		require.Empty(t, f.Skipped(), "-strict has nothing to say")
	}
	names, skipped, err := Pictures(dir)
	require.NoError(t, err)
	require.Len(t, names, 3)
	require.Empty(t, skipped)
}
