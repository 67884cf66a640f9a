package serve

import (
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Elements are counted as they would be decoded.
func TestElements(t *testing.T) {
	for _, text := range []string{
		`[]`, ` [ ] `, `[1]`, `[ 1 , 2 ]`, `[[1,2],[3,4],[5]]`, `[{"a":1,"b":[2,3]},{}]`, `["a,b","]","\"],[",""]`, `["\\",","]`, `[""]`, `[[]]`, `[[],[]]`, `[null,{}]`, `[{}]`, ` ["]"]`, "[\n1,\t2]",
	} {
		var list []any
		require.NoError(t, json.Unmarshal([]byte(text), &list))
		require.Equal(t, len(list), elements([]byte(text), 100), text)
		require.Equal(t, min(len(list), 2), elements([]byte(text), 1), text)
	}
}

// Lists of tiny elements, which would take many times their bytes when they are decoded, are
// refused before.
func TestListsThatGrow(t *testing.T) {
	o := defaults(t)
	o.Body = 8 << 20
	c := clientOf(t, newServer(t, o))
	many := func(element string) string {
		return "[" + strings.Repeat(element+",", 6<<20/(len(element)+1)) + element + "]"
	}
	for _, x := range []struct {
		path, body string
		status     int
	}{
		{"/predict", `{"pictures":` + many(`""`) + `}`, 413},
		{"/v2/models/small/infer", `{"inputs":` + many(`{}`) + `}`, 400},
		{"/v2/models/small/infer", `{"outputs":` + many(`{}`) + `}`, 400},
		{"/v2/models/small/infer", `{"inputs":[{"name":"data","datatype":"FP32","shape":` + many(`1`) + `}]}`, 400},
		{"/v2/models/small/infer", `{"inputs":[{"name":"data","datatype":"BYTES","shape":[1],"data":` + many(`""`) + `}]}`, 400},
	} {
		body := []byte(x.body)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.fails(x.status, http.MethodPost, x.path, body, "Content-Type: application/json")
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*len(body)), "%s %.60s", x.path, x.body)
	}
}
