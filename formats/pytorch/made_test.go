package pytorch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
)

// made is a tensor of float32 for files that tests write.
type made struct {
	name   string
	shape  []int
	stride []int // rows are contiguous unless given
	offset int
	values []float32 // of the storage
	back   int       // the storage is that of the tensor so many places before it
}

// pickler writes opcodes of protocol 2.
type pickler struct{ bytes.Buffer }

func (p *pickler) text(s string) {
	p.WriteByte('X')
	binary.Write(p, binary.LittleEndian, uint32(len(s)))
	p.WriteString(s)
}

func (p *pickler) int(n int) {
	p.WriteByte('J')
	binary.Write(p, binary.LittleEndian, int32(n))
}

func (p *pickler) ints(list []int) {
	p.WriteByte('(')
	for _, n := range list {
		p.int(n)
	}
	p.WriteByte('t')
}

// tensor writes the call that makes a tensor of storage key.
func (p *pickler) tensor(m made, key string, legacy bool) {
	p.WriteString("ctorch._utils\n_rebuild_tensor_v2\n((")
	p.text("storage")
	p.WriteString("ctorch\nFloatStorage\n")
	p.text(key)
	p.text("cuda:0")
	p.int(len(m.values))
	if legacy {
		p.WriteByte('N')
	}
	p.WriteString("tQ")
	p.int(m.offset)
	p.ints(m.shape)
	stride := m.stride
	if stride == nil {
		stride = make([]int, len(m.shape))
		for i, step := len(m.shape)-1, 1; i >= 0; i-- {
			stride[i] = step
			step *= m.shape[i]
		}
	}
	p.ints(stride)
	p.WriteString("\x89ccollections\nOrderedDict\n)RtR")
}

func stateDictPickle(list []made, legacy bool) []byte {
	var p pickler
	p.WriteString("\x80\x02}(")
	for i, m := range list {
		p.text(m.name)
		p.tensor(m, fmt.Sprint(i-m.back), legacy)
	}
	p.WriteString("u.")
	return p.Bytes()
}

func floatBytes(values []float32, o binary.ByteOrder) []byte {
	var b []byte
	for _, v := range values {
		b = append(b, 0, 0, 0, 0)
		o.PutUint32(b[len(b)-4:], math.Float32bits(v))
	}
	return b
}

// zipFile is the form of today.
func zipFile(list []made, order string, extra map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name string, content []byte) {
		w, _ := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		w.Write(content)
	}
	add("net/data.pkl", stateDictPickle(list, false))
	o := binary.ByteOrder(binary.LittleEndian)
	if order != "" {
		add("net/byteorder", []byte(order))
		if order == "big" {
			o = binary.BigEndian
		}
	}
	for i, m := range list {
		add(fmt.Sprintf("net/data/%d", i), floatBytes(m.values, o))
	}
	for name, content := range extra {
		add(name, []byte(content))
	}
	z.Close()
	return b.Bytes()
}

// legacyFile is that before torch 1.6.
func legacyFile(list []made) []byte {
	var p pickler
	p.WriteString("\x80\x02\x8a\x0a")
	p.Write(legacyBytes())
	p.WriteString(".\x80\x02M\xe9\x03.\x80\x02}.")
	p.Write(stateDictPickle(list, true))
	p.WriteString("\x80\x02](")
	for i := range list {
		p.text(fmt.Sprint(i))
	}
	p.WriteString("e.")
	for _, m := range list {
		binary.Write(&p, binary.LittleEndian, int64(len(m.values)))
		p.Write(floatBytes(m.values, binary.LittleEndian))
	}
	return p.Bytes()
}

// tarFile is that of 2016, of tensors whose rows are contiguous.
func tarFile(list []made) []byte {
	var storages, tensors, value pickler
	for _, p := range []*pickler{&storages, &tensors} {
		p.WriteString("\x80\x02")
		p.int(len(list))
		p.WriteByte('.')
	}
	value.WriteString("\x80\x02}(")
	for i, m := range list {
		storages.WriteString("\x80\x02")
		storages.int(100 + i)
		storages.text("cpu")
		storages.WriteString("ctorch\nFloatStorage\n\x87.")
		binary.Write(&storages, binary.LittleEndian, int64(len(m.values)))
		storages.Write(floatBytes(m.values, binary.LittleEndian))
		tensors.WriteString("\x80\x02")
		tensors.int(i)
		tensors.int(100 + i)
		tensors.WriteString("ctorch\nFloatTensor\n\x87.")
		binary.Write(&tensors, binary.LittleEndian, int64(len(m.shape)))
		step := 1
		strides := make([]int64, len(m.shape))
		for k := len(m.shape) - 1; k >= 0; k-- {
			strides[k] = int64(step)
			step *= m.shape[k]
		}
		for _, d := range m.shape {
			binary.Write(&tensors, binary.LittleEndian, int64(d))
		}
		binary.Write(&tensors, binary.LittleEndian, strides)
		binary.Write(&tensors, binary.LittleEndian, int64(m.offset))
		value.text(m.name)
		value.text(fmt.Sprint(i))
		value.WriteByte('Q')
	}
	storages.WriteString("\x80\x02].")
	value.WriteString("u.")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name string
		p    *pickler
	}{{"sys_info", &pickler{}}, {"storages", &storages}, {"tensors", &tensors}, {"pickle", &value}} {
		w.WriteHeader(&tar.Header{Name: f.name, Size: int64(f.p.Len()), Mode: 0o644})
		w.Write(f.p.Bytes())
	}
	w.Close()
	return b.Bytes()
}

var small = []made{
	{name: "fc.weight", shape: []int{2, 3}, values: []float32{1, 2, 3, 4, 5, 6}},
	{name: "fc.bias", shape: []int{2}, values: []float32{7, 8}},
}

func saved(t testing.TB, content []byte) string {
	path := filepath.Join(t.TempDir(), "net.pt")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// forms are the small file in every form.
func forms() map[string][]byte {
	return map[string][]byte{
		"zip": zipFile(small, "", nil), "big-endian zip": zipFile(small, "big", nil),
		"legacy": legacyFile(small), "tar": tarFile(small),
	}
}

func TestMadeFilesAreRead(t *testing.T) {
	for form, content := range forms() {
		require.True(t, Reader.Is(content[:min(len(content), 4096)], "x"), form)
		m, err := readFile(saved(t, content), formats.Options{})
		require.NoError(t, err, form)
		require.Len(t, m.Weights, 2, form)
		require.Equal(t, small[0].values, m.Weights["fc.weight"].Float32s(), form)
		require.Equal(t, []int{2, 3}, []int(m.Weights["fc.weight"].Shape()), form)
		require.Equal(t, small[1].values, m.Weights["fc.bias"].Float32s(), form)
	}
	require.False(t, Reader.Is([]byte("\x89PNG"), "x.pth"))
	require.False(t, Reader.Is(nil, "x.pth"))
}

func TestNoDamagePanics(t *testing.T) {
	for form, content := range forms() {
		path := saved(t, nil)
		step := 1
		if form == "tar" { // which is padding for the most part
			step = 5
		}
		for n := 0; n < len(content); n += step {
			if form == "tar" && n >= len(content)-1536 {
				break // the end of a tar archive and of its last file is zeros, which may be missing
			}
			err := inMemory(content[:n])
			require.Error(t, err, "the first %d bytes of %s", n, form)
			require.NotContains(t, err.Error(), "\n")
			if n%20 != 0 {
				continue
			}
			require.NoError(t, os.WriteFile(path, content[:n], 0o600))
			_, err = readFile(path, formats.Options{})
			require.ErrorContains(t, err, path, "the first %d bytes of %s", n, form)
			require.NotContains(t, err.Error(), "\n")
		}
		for i := 0; i < len(content); i += step {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				damaged := bytes.Clone(content)
				damaged[i] ^= flip
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_ = inMemory(damaged) // some bytes mean nothing
				runtime.ReadMemStats(&after)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "byte %d of %s", i, form)
			}
		}
	}
}

// inMemory reads a file that is on no disk.
func inMemory(content []byte) error {
	_, err := model(bytes.NewReader(content), int64(len(content)), formats.Options{})
	return err
}

func TestBombsAreRefused(t *testing.T) {
	one := []float32{1}
	for _, c := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"an expanded view", zipFile([]made{{name: "w", shape: []int{1 << 30}, stride: []int{0}, values: one}}, "", nil), "far more than the file holds"},
		{"a view beyond counting", zipFile([]made{{name: "w", shape: []int{1 << 30, 1 << 30, 1 << 30}, stride: []int{0, 0, 0}, values: one}}, "", nil), "has too many elements"},
		{"a view behind the end", legacyFile([]made{{name: "w", shape: []int{2}, values: one}}), "ends behind its storage of 1 elements"},
		{"a negative size", legacyFile([]made{{name: "w", shape: []int{-2}, values: one}}), "a size or a stride of a tensor is negative"},
		{"a negative offset", legacyFile([]made{{name: "w", shape: []int{1}, offset: -1, values: one}}), "an offset of a tensor is negative"},
		{"many dimensions", legacyFile([]made{{name: "w", shape: make([]int, 33), values: one}}), "up to 32 numbers"},
		{"another byte order", zipFile(small, "middle", nil), `the byte order is "middle"`},
		{"two entries of a name", zipFile(small, "", map[string]string{"net/data/0": "x"}), `the entry "net/data/0" twice`},
	} {
		_, err := readFile(saved(t, c.content), formats.Options{})
		require.ErrorContains(t, err, c.want, c.name)
	}
}

// Views may show an element of the file often: as many as mostElements, in all tensors together.
func TestExpandedViewsAreBounded(t *testing.T) {
	forms := map[string]func([]made) []byte{"legacy": legacyFile, "zip": func(list []made) []byte { return zipFile(list, "", nil) }}
	for form, file := range forms {
		views := func(n int) []byte {
			half := []int{n / 2}
			return file([]made{
				{name: "v", shape: half, stride: []int{0}, values: []float32{1}},
				{name: "w", shape: []int{n - n/2, 1, 1}, stride: []int{0, 0, 7}, values: []float32{2}},
			})
		}
		most := int(mostElements(int64(len(views(1 << 20)))))
		require.Less(t, most, 2<<20, form)
		m, err := model(bytes.NewReader(views(most)), int64(len(views(most))), formats.Options{})
		require.NoError(t, err, form)
		require.Len(t, m.Weights["v"].Float32s(), most/2)
		require.Len(t, m.Weights["w"].Float32s(), most-most/2)
		for _, n := range []int{most + 2, 1 << 30} {
			content := views(n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := inMemory(content)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, `tensor "`, form)
			require.ErrorContains(t, err, fmt.Sprintf("the tensors of the file have more than %d elements, far more than the file holds", most), form)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), form)
		}
	}
}

func TestCompressedEntriesAreRefused(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("net/data.pkl")
	require.NoError(t, err)
	w.Write(stateDictPickle(nil, false))
	require.NoError(t, z.Close())
	_, err = readFile(saved(t, b.Bytes()), formats.Options{})
	require.ErrorContains(t, err, `entry "net/data.pkl" is compressed, which torch.save does not do: unpack the archive and pack it again with zip -0`)
}

// A changed weight is found by the checksum of the archive.
func TestChecksumsOfStoragesAreCompared(t *testing.T) {
	content := zipFile(small, "", nil)
	at := bytes.Index(content, floatBytes(small[0].values, binary.LittleEndian))
	content[at] ^= 1
	_, err := readFile(saved(t, content), formats.Options{})
	require.ErrorContains(t, err, "its checksum does not match")
}

func TestWhatHoldsNoStateDict(t *testing.T) {
	for pickled, want := range map[string]string{
		"\x80\x02K\x05.":                         "it holds a value of the type int, not a state_dict",
		"\x80\x02](K\x01e.":                      "it holds a value of the type list",
		"\x80\x02}X\x01\x00\x00\x00aK\x01s.":     "it holds no tensors by name; its keys are: a",
		"\x80\x02ctorch.nn.modules.x\nY\n)\x81.": "torch.nn.modules.x.Y is not a module of torch",
	} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, _ := z.CreateHeader(&zip.FileHeader{Name: "net/data.pkl", Method: zip.Store})
		w.Write([]byte(pickled))
		z.Close()
		_, err := readFile(saved(t, b.Bytes()), formats.Options{})
		require.ErrorContains(t, err, want)
	}
	_, err := Reader.Read(t.Context(), []string{"a", "b"}, formats.Options{})
	require.EqualError(t, err, "a, b: PyTorch's weights are in one file, and 2 are given")
	_, err = readFile(saved(t, []byte("hello")), formats.Options{})
	require.ErrorContains(t, err, "it is not a file of torch.save")
}

func TestSafetensorsOfOtherPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	x := gorgonia.New(gorgonia.WithShape(2), gorgonia.WithBacking([]float32{1, 2}))
	require.NoError(t, safetensors.Write(path, []safetensors.Tensor{{Name: "w", Value: x}}, map[string]string{"format": "pt"}))
	head, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, Reader.Is(head, path))
	m, err := readFile(path, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, []float32{1, 2}, m.Weights["w"].Float32s())
	require.NoError(t, safetensors.Write(path, []safetensors.Tensor{{Name: "w", Value: x}}, map[string]string{"network": "{}"}))
	_, err = readFile(path, formats.Options{})
	require.ErrorContains(t, err, "it is hubel's own weights file")
	header := `{"w":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,2]},"v":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`
	content := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+"abc"...)
	m, err = readFile(saved(t, content), formats.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"w: hubel has no elements of the type F8_E5M2"}, m.Lost)
	require.True(t, strings.HasPrefix(m.Format, "safetensors"))
}

func FuzzRead(f *testing.F) {
	for _, content := range forms() {
		f.Add(content)
	}
	w := store("0", "Float", []float32{1, 2, 3, 4})
	plain := rebuilt("_rebuild_tensor_v2", whole(w, 4), false, noHooks, dict{"neg", true})
	values := dict{
		"conv1.weight", whole(w, 1, 1, 2, 2), "fc.weight", view{w, 1, []int{3, 5}, []int{1, 0}},
		"a", plain, "b", call{global{"torch._utils", "_rebuild_parameter_with_state"}, tuple{plain, true, noHooks, dict{}}},
		"c", call{global{fromType.Module, fromType.Name}, tuple{plain.f, global{"torch", "Tensor"}, plain.args, dict{}}},
	}
	f.Add(zipped(values))
	f.Add(inLegacy(dict{"state_dict", values}))
	f.Add([]byte("\x41\x00\x00\x00\x00\x00\x00\x00{\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}   abcd"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<16 {
			return
		}
		m, err := model(bytes.NewReader(content), int64(len(content)), formats.Options{})
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NotEmpty(t, m.Weights)
	})
}
