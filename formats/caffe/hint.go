package caffe

import "strings"

// nearest is what hubel, or BVLC's Caffe, has that comes nearest to what only forks of Caffe
// have, by the beginning of the fork's names in small letters without "_".
var nearest = []struct{ begins, has string }{
	{"spatialpyramidpooling", `Caffe 1.0 has it as a layer {} of the type "SPP"`},
	{"crop", `Caffe 1.0 has it as a layer {} of the type "Crop"`},
	{"bn", "the nearest layer of hubel's is batch-norm; in Caffe 1.0 it is BatchNorm followed by Scale"},
	{"unpooling", "the nearest layer of hubel's is unpool"},
	{"upsample", "the nearest layer of hubel's is unpool, or upsample"},
	{"interp", "the nearest layer of hubel's is upsample with the mode bilinear"},
	{"permute", "the nearest layer of hubel's is permute"},
	{"smoothl1loss", "the nearest layer of hubel's is smooth-l1-loss"},
	{"normalize", "the nearest layer of hubel's is l2-norm"},
	{"norm", "the nearest layer of hubel's is l2-norm"},
	{"shufflechannel", "the nearest layer of hubel's is channel-shuffle"},
	{"convolutiondepthwise", "a Convolution with group equal to its channels computes the same"},
	{"depthwiseconvolution", "a Convolution with group equal to its channels computes the same"},
	{"relu6", "the nearest layer of hubel's is relu6"},
	{"focalloss", "the nearest layer of hubel's is focal-loss"},
	{"tripletloss", "the nearest layer of hubel's is triplet-loss"},
	{"axpy", "Scale followed by Eltwise computes the same"},
	{"roipooling", "the nearest layer of hubel's is adaptive-max-pool, which pools whole images"},
	{"roialign", "the nearest layer of hubel's is adaptive-average-pool, which pools whole images"},
	{"priorbox", "hubel has no layers of detection: cut the network before it"},
	{"detectionoutput", "hubel has no layers of detection: cut the network before it"},
	{"multiboxloss", "hubel has no layers of detection: cut the network before it"},
	{"denseimagedata", "name its pictures by an Input layer"},
	{"annotateddata", "name its pictures by an Input layer"},
	{"python", "hubel runs no code of a file: replace it by a layer of Caffe's, or write a layer in Go (docs/add-a-layer.md)"},
	{"lstm", "hubel has no recurrent layers"},
	{"rnn", "hubel has no recurrent layers"},
	{"recurrent", "hubel has no recurrent layers"},
	{"embed", "the nearest layer of hubel's is dense, of shares of classes"},
	{"infogainloss", "the nearest layer of hubel's is softmax-loss, with class_weights"},
	{"im2col", "hubel's conv needs no columns"},
	{"filter", "hubel keeps all samples of a batch"},
	{"batchreindex", "hubel keeps all samples of a batch"},
	{"parameter", "hubel's parameters belong to layers"},
}

// hint is what comes nearest to a name that hubel, or BVLC's caffe.proto, does not have, as
// the end of an error.
func hint(name string) string {
	plain := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	plain = strings.TrimSuffix(plain, "param")
	for _, n := range nearest {
		if plain == n.begins || len(n.begins) > 4 && strings.HasPrefix(plain, n.begins) {
			return ": " + n.has
		}
	}
	return ""
}

// quotedHint says what to write in place of a type in quotes.
func quotedHint(f *fieldDefinition) string {
	if f.enum.name == "LayerType" {
		return "; the quoted names are those of layer {}, and this is a layers {}, as Caffe had them before 2014, with names such as SOFTMAX"
	}
	return ""
}
