package tensorboard

import (
	"fmt"
	"maps"
	"slices"
)

// Start appends the settings of a run, by name: numbers of the type float64,
// strings and booleans. TensorBoard shows those of several runs as a table,
// beside their last scalars.
func (w *Writer) Start(settings map[string]any) error {
	var info []byte
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		var v []byte
		switch x := settings[name].(type) {
		case float64:
			v = double(nil, valueNumber, x)
		case string:
			v = text(nil, valueString, x)
		case bool:
			on := int64(0)
			if x {
				on = 1
			}
			v = number(nil, valueBool, on)
		default:
			return fmt.Errorf("setting %s: a %T is neither a float64 nor a string nor a bool", name, x)
		}
		info = entry(info, startHParams, name, v)
	}
	info = double(info, startTime, float64(w.now().Unix()))
	return w.hparams("session_start_info", message(nil, hparamsStart, info))
}

// End appends how a run that Start began has ended.
func (w *Writer) End(success bool) error {
	status := int64(endFailure)
	if success {
		status = endSuccess
	}
	info := number(nil, endStatus, status)
	info = double(info, endTime, float64(w.now().Unix()))
	return w.hparams("session_end_info", message(nil, hparamsEnd, info))
}

// hparams appends data of the plugin, which stand in the metadata of a value: an
// empty tensor.
func (w *Writer) hparams(tag string, data []byte) error {
	plugin := message(text(nil, pluginName, "hparams"), pluginContent, data)
	v := text(nil, valueTag, "_hparams_/"+tag)
	v = message(v, valueMetadata, message(nil, metadataPlugin, plugin))
	v = message(v, valueTensor, message(number(nil, tensorDType, dtypeFloat), tensorShape, shape([]int{0})))
	return w.Write(0, Value{v})
}
