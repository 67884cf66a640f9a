package ptxsim_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// Runs y += 2 x, a kernel compiled by nvcc, on 1,000 elements.
func Example() {
	sim := ptxsim.New(ptxsim.Config{OnLaunch: func(r ptxsim.Report) {
		fmt.Println(r.Kernel, "loads", r.LoadSectors, "sectors in", r.LoadRequests, "requests")
	}})
	defer sim.Close()
	text, err := os.ReadFile("../../../cmd/ptxsim/testdata/saxpy.ptx")
	check(err)
	module, err := sim.Load("saxpy.ptx", string(text)) // names the line that is not supported
	check(err)
	saxpy, err := module.Function("saxpy")
	check(err)

	const n = 1000
	host := make([]byte, 4*n) // little-endian, as a GPU has it
	for i := range n {
		binary.Encode(host[4*i:], binary.LittleEndian, float32(i))
	}
	stream, err := sim.NewStream()
	check(err)
	x, err := sim.Alloc("x", 4*n) // the name appears in messages
	check(err)
	y, err := sim.Alloc("y", 4*n)
	check(err)
	check(stream.Upload(x, host))
	check(stream.Memset(y, 0, 4*n))

	var args driver.Args
	args.Ptr(y).Ptr(x).Float32(2).Int(n) // in the order of the parameters
	config := driver.Config{Grid: driver.Dim{X: (n + 255) / 256}, Block: driver.Dim{X: 256}}
	check(stream.Launch(saxpy, config, &args))
	check(stream.Download(host, y))
	var last float32
	binary.Decode(host[4*(n-1):], binary.LittleEndian, &last)
	fmt.Println("y[999] =", last)

	// One element too many is a fault, which Launch returns.
	args.Reset().Ptr(y).Ptr(x).Float32(2).Int(n + 1)
	var fault *ptxsim.Fault
	if errors.As(stream.Launch(saxpy, config, &args), &fault) {
		fmt.Println("fault:", fault.Kind, "in line", fault.Line, "by thread", fault.Thread, "of block", fault.Block)
	}

	// Output:
	// saxpy loads 250 sectors in 64 requests
	// y[999] = 1998
	// saxpy loads 250 sectors in 63 requests
	// fault: address in line 42 by thread [232 0 0] of block [3 0 0]
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
