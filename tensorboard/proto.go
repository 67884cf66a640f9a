package tensorboard

import (
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of the fields that are written, by message.
const (
	// tensorflow.Event
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventGraphDef    = 4
	eventSummary     = 5
	eventSessionLog  = 7

	// tensorflow.SessionLog
	sessionStatus = 1
	sessionStart  = 1 // a value of SessionStatus

	// tensorflow.Summary, Summary.Value and Summary.Image
	summaryValue     = 1
	valueTag         = 1
	valueSimple      = 2
	valueImage       = 4
	valueHistogram   = 5
	valueTensor      = 8
	valueMetadata    = 9
	imageHeight      = 1
	imageWidth       = 2
	imageColourSpace = 3
	imageEncoded     = 4

	// tensorflow.HistogramProto
	histogramMin     = 1
	histogramMax     = 2
	histogramNumber  = 3
	histogramSum     = 4
	histogramSquares = 5
	histogramLimit   = 6
	histogramCount   = 7

	// tensorflow.SummaryMetadata and its PluginData
	metadataPlugin = 1
	pluginName     = 1
	pluginContent  = 2

	// tensorflow.TensorProto and TensorShapeProto
	tensorDType = 1
	tensorShape = 2
	dtypeFloat  = 1
	shapeDim    = 2
	dimSize     = 1

	// tensorflow.GraphDef, NodeDef and AttrValue; an entry of a map has a key and
	// a value
	graphNode     = 1
	nodeName      = 1
	nodeOp        = 2
	nodeInput     = 3
	nodeAttribute = 5
	entryKey      = 1
	entryValue    = 2
	attrList      = 1
	attrBytes     = 2
	listShape     = 7

	// tensorboard.hparams: HParamsPluginData, SessionStartInfo, SessionEndInfo
	hparamsStart = 3
	hparamsEnd   = 4
	startHParams = 1
	startTime    = 5
	endStatus    = 1
	endTime      = 2
	endSuccess   = 1
	endFailure   = 2

	// google.protobuf.Value
	valueNumber = 2
	valueString = 3
	valueBool   = 4
)

func number(b []byte, field protowire.Number, x int64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(x))
}

func double(b []byte, field protowire.Number, x float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), math.Float64bits(x))
}

func float(b []byte, field protowire.Number, x float32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, field, protowire.Fixed32Type), math.Float32bits(x))
}

// message appends a field of bytes: an encoded message, or bytes of another kind.
func message(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

// text appends a string. Readers refuse one that is not UTF-8, such as a file
// name may be.
func text(b []byte, field protowire.Number, s string) []byte {
	return message(b, field, []byte(strings.ToValidUTF8(s, "\uFFFD")))
}

// doubles appends a packed list.
func doubles(b []byte, field protowire.Number, list []float64) []byte {
	packed := make([]byte, 0, 8*len(list))
	for _, x := range list {
		packed = protowire.AppendFixed64(packed, math.Float64bits(x))
	}
	return message(b, field, packed)
}

// entry appends an entry of a map.
func entry(b []byte, field protowire.Number, key string, value []byte) []byte {
	return message(b, field, message(text(nil, entryKey, key), entryValue, value))
}
