package results

// MachineFile is the name, in a run's folder, of the file with the Facts of the machine that
// last trained in it: a list in JSON.
const MachineFile = "machine.json"

// Fact is a property, such as the memory of a device.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
