package program

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
)

// lenet writes the weights with which training begins.
func lenet(t *testing.T, path string, seed uint64) string {
	t.Helper()
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	d, err := cpu.New(1)
	require.NoError(t, err)
	defer d.Close()
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, w.Fill(seed))
	list, err := modelfile.Download(w)
	require.NoError(t, err)
	metadata, err := modelfile.Encode(n, data.Preprocess{Scale: 1. / 256}, strings.Split("0123456789", ""))
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(path, list, metadata))
	return path
}

// call runs the program in the working directory until it ends by itself.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(context.Background(), args, nil, &out, &err)
	return code, out.String(), err.String()
}

// running is the program while it serves.
type running struct {
	url    string
	reload chan os.Signal
	said   *lines // on standard error
	stop   func() (code int)
}

// lines is an output that a test looks at meanwhile.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the program until the test ends.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{reload: make(chan os.Signal), said: &lines{}}
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, append(args, "-addr", "127.0.0.1:0", "-threads", "2"), r.reload, write, r.said)
		write.Close()
		ended <- code
	}()
	r.stop = sync.OnceValue(func() int {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { r.stop() })
	line, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(t, err, r.said)
	r.url = regexp.MustCompile(`https?://\S+`).FindString(line)
	return r
}

// digit is a picture that is in the documentation.
func digit(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../docs/lecture/digits/7/17.png")
	require.NoError(t, err)
	return b
}

// ask posts a picture.
func ask(t *testing.T, c *http.Client, url string, picture []byte) string {
	t.Helper()
	a, err := c.Post(url+"/predict", "image/png", bytes.NewReader(picture))
	require.NoError(t, err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, a.StatusCode, string(text))
	return string(text)
}

// The program serves what it was given, reads weights again when it is asked to, and ends
// well.
func TestServe(t *testing.T) {
	file := lenet(t, filepath.Join(t.TempDir(), "w.safetensors"), 1)
	picture := digit(t)
	r := start(t, "-weights", file, "-weights", "second="+file, "-features", "ip1", "-batch", "4", "-cpu-path", "generic")
	c := &http.Client{}
	defer c.CloseIdleConnections()
	before := ask(t, c, r.url, picture)
	require.Regexp(t, `^\{"model":"lenet","predictions":\[\{"top":\[\{"class":"\d","label":\d,"probability":`, before)
	require.Equal(t, before, ask(t, c, r.url, picture))
	require.Equal(t, strings.Replace(before, "lenet", "second", 1), ask(t, c, r.url+"/models/second", picture))

	lenet(t, file, 2)
	r.reload <- os.Interrupt // any value
	require.Eventually(t, func() bool { return strings.Count(r.said.String(), "new weights of") == 2 }, 30*time.Second, time.Millisecond)
	require.NotEqual(t, before, ask(t, c, r.url, picture))
	after := ask(t, c, r.url, picture)

	require.NoError(t, os.WriteFile(file, []byte("nothing that is read"), 0o666))
	r.reload <- os.Interrupt
	require.Eventually(t, func() bool { return strings.Count(r.said.String(), "\n") == 4 }, 30*time.Second, time.Millisecond)
	require.Equal(t, after, ask(t, c, r.url, picture))
	for i, line := range strings.Split(strings.TrimSpace(r.said.String()), "\n") {
		name := []string{"lenet", "second"}[i%2]
		want := fmt.Sprintf("serve: %s: new weights of %s", name, file)
		if i >= 2 {
			want = fmt.Sprintf("serve: %s: the old weights go on: %s: ", name, file)
		}
		require.Contains(t, line, want)
	}
	require.Equal(t, command.Done, r.stop())
	_, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	require.Error(t, err)
}

// certificate writes one of our own for 127.0.0.1.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &private.PublicKey, private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(cert, public, 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	pool = x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(public))
	return cert, key, pool
}

func TestTLS(t *testing.T) {
	file := lenet(t, filepath.Join(t.TempDir(), "w.safetensors"), 1)
	cert, key, pool := certificate(t)
	r := start(t, "-weights", file, "-cert", cert, "-key", key)
	require.True(t, strings.HasPrefix(r.url, "https://127.0.0.1:"), r.url)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	defer c.CloseIdleConnections()
	a, err := c.Get(r.url + "/readyz")
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, 2, a.ProtoMajor)
	ask(t, c, r.url, digit(t))
	require.Equal(t, command.Done, r.stop())
}

// Whatever cannot work is one line and exit code 2, before anything is served.
func TestWrong(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	lenet(t, "w", 1)
	require.NoError(t, os.WriteFile("text", []byte("hello, I am no weights"), 0o666))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	free := []string{"-weights", "w", "-addr", "127.0.0.1:0"}
	for _, x := range []struct {
		args []string
		says string
	}{
		{nil, "-weights is missing, such as -weights runs/NAME/best.safetensors"},
		{[]string{"-weights", ""}, `invalid value "" for flag -weights: it is a file, or NAME=FILE`},
		{[]string{"-weights", "a="}, "it is a file, or NAME=FILE"},
		{[]string{"-x"}, "flag provided but not defined: -x; -h lists the flags"},
		{append(free, "w"), "w is no flag: weights are named by -weights"},
		{append(free, "-batch", "0"), "-batch must be from 1 to 65536"},
		{append(free, "-queue", "0"), "-queue must be from 1 to 1048576"},
		{append(free, "-max-body", "1025"), "-max-body must be from 1 to 1024"},
		{append(free, "-max-pictures", "0"), "-max-pictures must be from 1 to 65536"},
		{append(free, "-max-megapixels", "135"), "-max-megapixels must be from 1 to 134"},
		{append(free, "-queue", "3"), "-max-pictures must be at most -queue"},
		{append(free, "-threads", "-1"), "-threads must be from 0 to 65536"},
		{append(free, "-timeout", "0"), "-timeout must be from 1s to 1h"},
		{append(free, "-wait", "-1s"), "-wait must be at least 0, and at most -timeout"},
		{append(free, "-wait", "31s"), "-wait must be at least 0, and at most -timeout"},
		{append(free, "-host", "http://a"), "-host http://a is not NAME or NAME:PORT"},
		{append(free, "-host", "a:x"), "-host a:x is not NAME or NAME:PORT"},
		{append(free, "-cert", "c"), "-cert and -key need each other"},
		{append(free, "-cert", "c", "-key", "k"), "-cert and -key: open c: "},
		{append(free, "-cert", "text", "-key", "text"), "-cert and -key: tls: failed to find any PEM data in certificate input"},
		{append(free, "-device", "abacus"), "abacus"},
		{append(free, "-features", "fc9"), `keep: network lenet has no value "fc9"`},
		{append(free, "-weights", "w"), "w and w would both be served as lenet: name one, as NAME=FILE"},
		{[]string{"-weights", "w", "-addr", l.Addr().String()}, "-addr: listen tcp " + l.Addr().String()},
		{[]string{"-weights", "w", "-addr", "nowhere"}, `invalid value "nowhere" for flag -addr: it is a port, such as 8080, or an address, such as 127.0.0.1:8080`},
		{[]string{"-weights", "text", "-addr", "127.0.0.1:0"}, "text: "},
		{[]string{"-weights", "gone", "-addr", "127.0.0.1:0"}, "gone"},
	} {
		code, stdout, stderr := call(x.args...)
		require.Equal(t, command.Wrong, code, "%q: %s", x.args, stderr)
		require.Empty(t, stdout)
		require.True(t, strings.HasPrefix(stderr, "serve: ") && strings.Count(stderr, "\n") == 1, "%q: %q", x.args, stderr)
		require.Contains(t, stderr, x.says)
	}
}

func TestUsage(t *testing.T) {
	code, stdout, stderr := call("-h")
	require.Equal(t, command.Done, code)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "serve -weights FILE [flags]")
	require.Contains(t, stdout, "-max-megapixels")
	o, err := parse([]string{"-weights", "runs/a=b/w", "-weights", "n=x=y"})
	require.NoError(t, err)
	require.Equal(t, "runs/a=b/w,n=x=y", (*weights)(&o.serve.Models).String())
	require.Empty(t, o.serve.Models[0].Name)
	require.Equal(t, "n", o.serve.Models[1].Name)
	require.EqualValues(t, 16<<20, o.serve.Body)
	require.Equal(t, 50_000_000, o.serve.Pixels)
}
