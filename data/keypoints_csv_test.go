package data

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

const facesHeader = "left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_tip_x,nose_tip_y,Image\n"

// facesCSV are five faces of 2x2. Row 2 misses its left eye, row 5 its nose.
const facesCSV = facesHeader + `0,2,1,0.5,2,2,0 1 2 3
,,1,1,1,1,4 5 6 7

1,1,1,1,1,1,255 0 0 0` + "\r" + `
"1",1,1,1,1,3,"8 9 10 11"
1,1,1,1,NaN,nan,12 13 14 15
`

func compressed(t testing.TB, text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func TestOpenKeypoints(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string][]byte{"plain": []byte("\ufeff" + facesCSV), "packed": compressed(t, facesCSV)})
	for _, name := range []string{"plain", "packed"} {
		path := filepath.Join(dir, name)
		train, test, err := Open("keypoints:"+path, OpenOptions{})
		require.NoError(t, err)
		require.Equal(t, 2, train.Len())
		require.Equal(t, 1, test.Len())
		require.Equal(t, tensor.Shape{1, 2, 2}, train.Shape())
		require.Empty(t, train.Classes())
		require.Equal(t, []string{"row 1", "row 3", "row 4"}, []string{Name(train, 0), Name(train, 1), Name(test, 0)})
		points := train.(Points)
		require.Equal(t, []int{1, 0, 2}, points.Mirrored())
		target, x := make([]float32, 6), make([]float32, 4)
		require.NoError(t, points.ReadTarget(target, 0))
		require.Equal(t, []float32{-1, 1, 0, -0.5, 1, 1}, target)
		_, err = train.Read(x, 1)
		require.NoError(t, err)
		require.Equal(t, []float32{255, 0, 0, 0}, x)
		_, err = test.Read(x, 0)
		require.NoError(t, err)
		require.Equal(t, []float32{8, 9, 10, 11}, x)
		require.NoError(t, test.(Points).ReadTarget(target, 0))
		require.Equal(t, float32(2), target[5], "a point may be outside")
		require.Equal(t, []Skip{{Name: path + ", 2 of its 5 rows", Reason: "a point is missing, in row 2 for one; keypoints-missing:" + path + " keeps them"}}, train.(*faces).Skipped())
		require.Empty(t, test.(*faces).Skipped())
		require.Zero(t, testing.AllocsPerRun(10, func() { train.Read(x, 1); train.Shape(); _ = points.ReadTarget(target, 1) }))

		train, test, err = Open("keypoints-missing:"+path, OpenOptions{})
		require.NoError(t, err)
		require.Equal(t, 4, train.Len())
		require.Equal(t, 1, test.Len())
		require.Empty(t, train.(*faces).Skipped())
		require.NoError(t, train.(Points).ReadTarget(target, 1))
		require.Equal(t, "[NaN NaN 0 0 0 0]", fmt.Sprint(target))
		require.NotEmpty(t, Digest(train))
	}
	_, _, err := Open("keypoints", OpenOptions{})
	require.ErrorContains(t, err, "needs the file, such as keypoints:training.csv")
	_, _, err = Open("keypoints:"+filepath.Join(dir, "none"), OpenOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, _, err = OpenKeypoints(dir, false)
	require.ErrorContains(t, err, "it is not a regular file")
}

func TestKeypointsRefused(t *testing.T) {
	row := func(text string) string { return facesHeader + "1,1,1,1,1,1,0 0 0 0\n" + text }
	for _, c := range []struct{ text, want string }{
		{"", "it is empty"},
		{facesHeader, "there is no row after the names of the columns"},
		{"a_x,a_y\n1,1\n", "line 1: there is no column Image"},
		{"Image\n0\n", "line 1: there is no point, which has two columns"},
		{"a_x,Image\n1,0\n", `line 1: column 1, "a_x", has no partner "a_y"`},
		{"Image,a_y\n1,0\n", `line 1: column 2, "a_y", has no partner "a_x"`},
		{"a_x,a_y,a_x,Image\n", `line 1: columns 1 and 3 are both called "a_x"`},
		{"ImageId,Image\n", `line 1: column 1, "ImageId", is neither Image nor a coordinate`},
		{strings.Repeat(",", mostColumns+1), "line 1: 2002 columns are more than the 2001 allowed"},
		{row("1,1,1,1,1,1,0 0 0\n"), "line 3: there are 3 pixels, not 2x2 = 4 as in line 2"},
		{row("1,1,1,1,1,1,0 0 0 0 0\n"), "line 3: there are 5 pixels, not 2x2 = 4 as in line 2"},
		{row("\n1,1,1,1,1,1,0 0 256 0\n"), `line 4: pixel 2 is "256", not a whole number from 0 to 255`},
		{row("1,1,1,1,1,1,0 0 -1 0\n"), `line 3: pixel 2 is "-1", not a whole number`},
		{row("1,1,1,1,1,1,0 0 0 99999999999999999999999999\n"), `line 3: pixel 3 is "99999999999999999999", not`},
		{row("1,1,1,1,1,1,\n"), "line 3: there are 0 pixels"},
		{row("1,1,1,1,1,1\n"), "line 3: there are 6 columns, not 7 as in line 1"},
		{row("1,1,1,1,1,1,0 0 0 0,5\n"), "line 3: there are more than the 7 columns of line 1"},
		{row("1,up,1,1,1,1,0 0 0 0\n"), `line 3: left_eye_y is "up", not a number of pixels`},
		{row("1,1,1,1,Inf,1,0 0 0 0\n"), `line 3: nose_tip_x is "Inf", not a number of pixels`},
		{row("1,1,1,1,,1,0 0 0 0\n"), "line 3: nose_tip_x is missing, but nose_tip_y is there"},
		{row("1,,1,1,1,1,0 0 0 0\n"), "line 3: left_eye_y is missing, but left_eye_x is there"},
		{row("1,1,1,1,1,400,0 0 0 0\n"), "line 3: nose_tip_y is 400, far outside a picture of 2x2"},
		{facesHeader + "1,1,1,1,1,1,0 0 0\n", "line 2: 3 pixels are not a square picture"},
		{row(""), "1 of 1 rows can be used; one to train on and one to test on are the least"},
		{row(",,1,1,1,1,0 0 0 0\n"), "1 of 2 rows can be used"},
		{row(strings.Repeat("1", largestRow+1)), "line 3 is longer than the 8388608 bytes allowed"},
	} {
		err := new(faces).read(strings.NewReader(c.text), false)
		require.ErrorContains(t, err, c.want)
	}
	packed := compressed(t, facesCSV)
	require.ErrorContains(t, new(faces).read(bytes.NewReader(packed[:len(packed)-9]), false), "truncated")
	require.ErrorContains(t, new(faces).read(bytes.NewReader(packed[:3]), false), "gzip: truncated")
}

func TestMirroredPoints(t *testing.T) {
	require.Equal(t, []int{1, 0, 2, 4, 3, 5, 6}, mirrored([]string{"left_eye", "right_eye", "nose", "mouth_right_corner", "mouth_left_corner", "left_ear", "upleft"}))
}

// TestRealFaces reads 3,462 faces of 96x96 with 15 points in Kaggle's layout,
// where there are such.
func TestRealFaces(t *testing.T) {
	path := os.Getenv("HUBEL_FACES")
	if path == "" {
		t.Skip("HUBEL_FACES names no file of faces")
	}
	train, test, err := OpenKeypoints(path, false)
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{1, 96, 96}, train.Shape())
	require.Equal(t, 2770, train.Len())
	require.Equal(t, 692, test.Len())
	require.Equal(t, []int{1, 0, 4, 5, 2, 3, 8, 9, 6, 7, 10, 12, 11, 13, 14}, train.(Points).Mirrored())
	target, most := make([]float32, 30), float32(0)
	for i := range train.Len() {
		require.NoError(t, train.(Points).ReadTarget(target, i))
		for _, p := range target {
			most = max(most, float32(math.Abs(float64(p))))
		}
	}
	require.Less(t, most, float32(1.5))
}

func FuzzKeypoints(f *testing.F) {
	f.Add([]byte(facesCSV))
	f.Add(compressed(f, facesCSV))
	f.Add([]byte("Image,a_x,a_y\n1,2,3\n1,2,3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, missing := range []bool{false, true} {
			s := new(faces)
			if s.read(bytes.NewReader(b), missing) != nil {
				continue
			}
			require.GreaterOrEqual(t, s.Len(), 2)
			require.Len(t, s.pixels, s.Len()*s.side*s.side)
			require.Len(t, s.targets, s.Len()*s.Targets())
			for i, p := range s.targets {
				require.True(t, p >= -3 && p <= 3 || missing && p != p, i)
			}
		}
	})
}
