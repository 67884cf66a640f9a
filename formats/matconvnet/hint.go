package matconvnet

import "strings"

// nearest is what hubel has that comes nearest to blocks that are not read, those of MatConvNet and
// of usual additions to it, by their names in small letters.
var nearest = map[string]string{
	"crop":                        "the nearest layer of hubel's is crop",
	"scale":                       "the nearest layer of hubel's is conv, of 1x1 with a group for each channel",
	"prelu":                       "the nearest layer of hubel's is prelu",
	"elu":                         "the nearest layer of hubel's is elu",
	"noffset":                     "the nearest layer of hubel's is l2-norm",
	"normoffset":                  "the nearest layer of hubel's is l2-norm",
	"spnorm":                      "the nearest layer of hubel's is lrn, with the region within",
	"spatialnorm":                 "the nearest layer of hubel's is lrn, with the region within",
	"roipooling":                  "the nearest layer of hubel's is adaptive-max-pool, which pools whole images",
	"bilinearsampler":             "the nearest layer of hubel's is upsample, with the mode bilinear",
	"affinegridgenerator":         "hubel has no layers that sample where a network says",
	"uniformscalinggridgenerator": "hubel has no layers that sample where a network says",
	"reshape":                     "the nearest layer of hubel's is reshape",
	"permute":                     "the nearest layer of hubel's is permute",
	"flatten":                     "the nearest layer of hubel's is flatten",
	"max":                         "the nearest layer of hubel's is maximum",
	"axpy":                        "the nearest layers of hubel's are multiply and add",
	"globalpooling":               "the nearest layer of hubel's is average-pool, with global",
	"instancenorm":                "the nearest layer of hubel's is instance-norm",
	"unpooling":                   "the nearest layer of hubel's is unpool",
	"custom":                      "hubel runs no code of a file: write a layer in Go (docs/add-a-layer.md)",
}

// hint is what comes nearest to a block, as the end of an error.
func hint(kind string) string {
	if has, ok := nearest[strings.ToLower(kind)]; ok {
		return ": " + has
	}
	return ""
}
