# Everything here needs Go, make and a POSIX shell. `make` lists the targets.

GO         ?= go
FUZZTIME   ?= 10s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS   = linux/arm64 darwin/arm64 windows/amd64

# Packages whose goroutines share memory. Of the CUDA kernels that is the
# simulator: all of them on it, under the race detector, take too long.
CONCURRENT = ./data/... ./kernels/cpu/... ./kernels/cuda/ptxsim ./kernels/cuda/simdevice ./solver/... ./dist/... ./predict/... ./serve ./svm ./live/... ./cmd/train/... ./cmd/serve/...

# Where the pinned CUDA compiler is; tools/install-nvcc.sh puts it there.
CUDA ?= $(or $(HUBEL_CUDA),$(HOME)/.cache/hubel/cuda-11.8)

# The capabilities that kernels are compiled for: the oldest that runs them, and
# the first that copies asynchronously and multiplies TF32. A device takes the
# highest it can run.
PTX = 70 80

# What `make train` runs: 99.2 to 99.4 % of the test set right with seeds 1 to 6.
# ARGS="…" adds flags or overrides these.
TRAIN = -model lenet -data mnist -epochs 5 -batch 64 -lr 0.04 -lr-policy cosine

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
	while IFS="$$(printf '\t')" read -r target what; do printf '  make %-14s %s\n' "$$target" "$$what"; done

.PHONY: train
train: mnist build ## train LeNet on MNIST into a new folder of runs/; ARGS="-epochs 10" changes flags
	@out=runs/lenet-mnist; n=2; \
	while [ -e "$$out" ]; do out=runs/lenet-mnist-$$n; n=$$((n + 1)); done; \
	echo "bin/train $(TRAIN) -out $$out $(ARGS)"; \
	exec bin/train $(TRAIN) -out "$$out" $(ARGS)

# The weights are those of the last run of `make train` that has come to its end, whose pictures
# are drawn then.
.PHONY: demo
demo: mnist ## make bin/demo, LeNet in a browser tab: a folder for any web server; WEIGHTS=FILE
	@weights="$(WEIGHTS)"; newest() { ls -t runs/lenet-mnist*/curve.png 2>/dev/null | head -n 1; }; \
	if [ -z "$$weights" ]; then \
		[ -n "$$(newest)" ] || $(MAKE) --no-print-directory train; \
		weights=$$(dirname "$$(newest)")/weights.safetensors; \
	fi; \
	echo "$(GO) run ./tools/demo -weights $$weights"; \
	exec $(GO) run ./tools/demo -weights "$$weights"

# The experiments of docs/lecture.md, each into a folder of runs/. One that was stopped goes
# on. DATA="…" names files, VAL="…" photographs to test on, ARGS="…" adds flags.
EXAMPLE = bin/examples $@ $(if $(DATA),-data "$(DATA)") $(if $(VAL),-val "$(VAL)") $(ARGS)

.PHONY: faces
faces: build ## train net1 to net5 on facial keypoints; DATA=faces.csv
	@[ -n "$(DATA)" ] || { echo "make faces: needs a file of faces as Kaggle has them: make faces DATA=faces.csv"; exit 1; }
	$(EXAMPLE)

.PHONY: ablation
ablation: build $(if $(DATA),,fashion-mnist) ## train a small AlexNet without one of its parts at a time; DATA=photographs, VAL, otherwise Fashion-MNIST
	$(EXAMPLE)

.PHONY: lenet5
lenet5: build mnist fashion-mnist ## train LeNet-5 on MNIST and Fashion-MNIST
	$(EXAMPLE)

.PHONY: tiny-vgg
tiny-vgg: build $(if $(DATA),,fashion-mnist) ## train a small VGG, and show its gradients; DATA=cifar10:FOLDER, otherwise Fashion-MNIST
	$(EXAMPLE)

.PHONY: transfer recipe
transfer: build ## move a network to other classes with few pictures, four ways; DATA=photographs VAL=photographs
	$(EXAMPLE)

recipe: build ## train a small residual network in five epochs; DATA=photographs VAL=photographs
	$(EXAMPLE)

.PHONY: mnist
mnist: ## fetch MNIST into datasets/mnist
	@$(GO) run ./cmd/fetch mnist

.PHONY: fashion-mnist
fashion-mnist: ## fetch Fashion-MNIST into datasets/fashion-mnist
	@$(GO) run ./cmd/fetch fashion-mnist

.PHONY: build
build: ## build the commands into bin/
	@mkdir -p bin
	$(GO) build -o bin/ ./cmd/...

.PHONY: test
test: ## run the tests; needs neither a GPU nor the network
	$(GO) test -timeout 30m ./...

# What has other paths on other CPUs, which test-long forces.
KERNELS = ./kernels/cpu/... ./layers ./graph/... ./solver ./data/...

.PHONY: test-long
test-long: ## run the CPU's tests again on its generic path and on AVX2; a million convolutions on each path; plan 100,000 layers; simulate AlexNet, gpu-check, and 100 changes to each file of PTX, and others to each kernel; compare pictures with Pillow
	$(GO) test -tags purego -timeout 20m $(KERNELS)
	@if grep -q -w avx2 /proc/cpuinfo 2>/dev/null; then \
		echo "HUBEL_CPU=avx2 $(GO) test $(KERNELS)"; \
		HUBEL_CPU=avx2 $(GO) test -timeout 20m $(KERNELS); \
	else echo "test-long: AVX2 skipped, this machine has none"; fi
	HUBEL_LONG=1 $(GO) test -timeout 60m -run ConvShapes ./kernels/cpu
	HUBEL_LONG=1 $(GO) test -timeout 20m -run VeryDeep ./graph
	HUBEL_LONG=1 HUBEL_MUTATIONS=100 $(GO) test -timeout 40m -run "AlexNet|Mutations|Changes|Flushing" ./kernels/cuda
	HUBEL_LONG=1 $(GO) test -timeout 20m -run OnSimulator ./cmd/gpu-check
	@if python3 -c 'import PIL' 2>/dev/null || /usr/bin/python3 -c 'import PIL' 2>/dev/null; then \
		echo "HUBEL_LONG=1 $(GO) test -run Pillow ./data/..."; \
		HUBEL_LONG=1 $(GO) test -timeout 20m -run Pillow ./data/...; \
	else echo "test-long: Pillow skipped, no Python here has it: apt-get install python3-pil"; fi

# `go test` of the AVX-512 path on an emulated CPU, one package after the other.
EMULATED = CGO_ENABLED=0 HUBEL_CPU=avx512 $(GO) test -count=1 -short -timeout 60m -ldflags="-s -w" -skip "./^(avx2|generic)$$" -exec "$(CURDIR)/tools/avx512.sh"

.PHONY: avx512-test
avx512-test: ## test the CPU's AVX-512 path on an emulated CPU that has it (minutes); see tools/avx512.sh
	@tools/avx512.sh -
	$(EMULATED) ./kernels/cpu/vec
	$(EMULATED) ./kernels/cpu/winograd
	$(EMULATED) ./kernels/cpu/gemm
	$(EMULATED) -run "ConvShapes|Adjoint|PartsOfTiles|FuzzConv|Conformance/avx512" ./kernels/cpu

.PHONY: race
race: ## run the tests of concurrent packages under the race detector, which needs a C compiler
	CGO_ENABLED=1 $(GO) test -race -short -timeout 20m $(CONCURRENT)

.PHONY: fuzz
fuzz: ## fuzz every reader of files, and the loops in assembly, FUZZTIME each
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

# What `make mutants` changes: all but the commands and the tools.
MUTATED = ./solver ./modelfile ./results ./graph ./layers ./expr ./data ./data/jpeg ./device ./device/reference ./predict ./serve ./inspect ./formats/safetensors ./kernels/cpu ./kernels/cuda ./kernels/cuda/ptxsim

.PHONY: mutants
mutants: ## change the Go code at random, N times, and list what the tests do not see (hours); N, SEED, PACKAGES, ARGS="-own -parallel 2"
	@ulimit -v 16000000 2>/dev/null || true; \
	exec $(GO) run ./tools/mutants -n $(or $(N),300) -seed $(or $(SEED),1) $(ARGS) $(or $(PACKAGES),$(MUTATED))

.PHONY: fmt-check
fmt-check: ## fail if a file is not formatted
	@files=$$("$$($(GO) env GOROOT)/bin/gofmt" -l .); \
	if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi

.PHONY: vet
vet: ## run go vet
	$(GO) vet ./...

.PHONY: staticcheck
staticcheck: ## run staticcheck
	$(GO) run $(STATICCHECK) ./...

.PHONY: cross
cross: ## build and vet for the other platforms, without cgo
	@set -e; for platform in $(PLATFORMS); do \
		echo "$$platform"; \
		export CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/}; \
		$(GO) build ./...; \
		$(GO) vet ./...; \
	done
	@echo js/wasm; GOOS=js GOARCH=wasm $(GO) vet ./demo/... && GOOS=js GOARCH=wasm $(GO) build -o /dev/null ./demo/wasm

.PHONY: bench
bench: build ## measure products, layers and networks; ARGS="net -batch 1" chooses
	bin/bench $(ARGS)

.PHONY: peers
peers: ## measure OpenBLAS, PyTorch, ONNX Runtime and OpenVINO beside it; ARGS="net lenet 64": one part; RUNS, THREADS, PYPI=no
	bench/peers/run.sh $(ARGS)

.PHONY: serve-bench
serve-bench: ## measure serve beside the Predictor and onnxruntime behind a server in Python; ARGS=soak: 10 minutes with malformed requests
	tools/serve-bench/run.sh $(ARGS)

.PHONY: ptx
ptx: ## compile the CUDA kernels to the PTX that is committed; needs tools/install-nvcc.sh
	@set -e; cd kernels/cuda; for arch in $(PTX); do \
		mkdir -p ptx/sm$$arch; \
		for source in *.cu; do \
			case $$source in *_tf32.cu) [ $$arch -ge 80 ] || continue;; esac; \
			echo "nvcc -arch=compute_$$arch $$source"; \
			$(CUDA)/bin/nvcc -ptx -arch=compute_$$arch -o ptx/sm$$arch/$${source%.cu}.ptx $$source; \
		done; \
	done

.PHONY: sass
sass: ## assemble the PTX, that of programs too, and write docs/kernels.md; CHECK=-check only compares; needs tools/install-nvcc.sh
	$(GO) run ./tools/sass $(CHECK) $(CUDA)/bin kernels/cuda docs/kernels.md kernels/cuda/costmodel/assembled.json
	HUBEL_CUDA=$(CUDA) HUBEL_LONG=1 $(GO) test -run ProgramsAssemble ./kernels/cuda

.PHONY: predictions
predictions: ## predict AlexNet on four GPUs and write docs/kernels.md; CHECK=-check only compares
	$(GO) run ./tools/predictions $(CHECK) docs/kernels.md

.PHONY: interop
interop: ## compare with other frameworks, which pip fetches into .tools (minutes); CHECK=onnx runs one; NETWORKS="resnet18 alexnet"
	tools/interop/run.sh $(CHECK)

.PHONY: tensorboard-test
tensorboard-test: ## have TensorBoard, which pip fetches into .tools, read the event files of a run
	tools/interop/run.sh tensorboard

.PHONY: lecture
lecture: build ## run the commands of docs/lecture.md and write their outputs and pictures there; CHECK=-check runs the fast ones and only compares
	$(GO) run ./tools/lecture $(CHECK) docs/lecture.md

# The pages in a real browser. tools/browser is a module of its own, with what drives it.
.PHONY: browser-test
browser-test: build mnist demo ## test the pages in a browser (minutes): installs Debian's chromium as root; PICTURES=docs keeps the pictures of the docs there; ARGS="-run Live" chooses
	@tools/browser/install.sh || echo "browser-test: the tests are skipped"
	cd tools/browser && $(GO) vet ./... && HUBEL_PICTURES="$(PICTURES)" $(GO) test -count=1 -timeout 60m -v $(ARGS) ./...

# Building for real GPUs takes cgo, the headers of CUDA, and something named
# libcuda to link with: the package libcuda, as a library. No program is linked
# to it in the end. Go's build cache does not look into headers, so that their
# checksum is a flag.
CUDA_INCLUDE ?= $(CUDA)/usr/lib/cuda/include
LINK = kernels/cuda/cudriver/libcuda
HEADERS = kernels/cuda/cudriver/headers
CUDA_BUILD = CGO_ENABLED=1 CC="$(CC)" \
	CGO_CFLAGS="-O2 -I$(CURDIR)/$(HEADERS) -I$(CUDA_INCLUDE) -DHUBEL_HEADERS=$$(cat $(HEADERS)/cuda.h "$(CUDA_INCLUDE)/cuda.h" | cksum | cut -d ' ' -f 1)" \
	CGO_LDFLAGS="-L$(CURDIR)/.tools/link -Wl,--as-needed"

.PHONY: cuda
cuda: cuda-needs .tools/link/libcuda.so ## build the commands with CUDA into bin/, for machines with and without a GPU
	@mkdir -p bin
	$(CUDA_BUILD) $(GO) build -tags cuda -o bin/ ./cmd/...

.PHONY: cuda-needs
cuda-needs:
	@[ "$$($(GO) env GOOS)/$$($(GO) env GOARCH)" = linux/amd64 ] || { echo "make cuda: CUDA is supported on linux/amd64, and this is for $$($(GO) env GOOS)/$$($(GO) env GOARCH)"; exit 1; }
	@command -v $(firstword $(CC)) >/dev/null || { echo "make cuda: needs a C compiler, and there is no $(CC): install gcc and libc6-dev, or name another with CC="; exit 1; }
	@[ -e "$(CUDA_INCLUDE)/cuda.h" ] || { [ "$(CUDA_INCLUDE)" = "$(CUDA)/usr/lib/cuda/include" ] && tools/install-nvcc.sh "$(CUDA)"; } || { echo "make cuda: needs cuda.h of CUDA 11.8 to 13: make cuda CUDA_INCLUDE=FOLDER says where one is"; exit 1; }
	@version=$$(sed -n 's/^#define CUDA_VERSION *//p' "$(CUDA_INCLUDE)/cuda.h"); \
	[ "$${version:-0}" -ge 11080 ] && [ "$$version" -lt 14000 ] || { \
		echo "make cuda: takes cuda.h of CUDA 11.8 to 13, and the CUDA_VERSION of $(CUDA_INCLUDE)/cuda.h is $${version:-not said}: make cuda CUDA_INCLUDE=FOLDER says where another is"; exit 1; }

.tools/link/libcuda.so: $(LINK)/libcuda.c $(LINK)/forward.S $(LINK)/symbols.h
	@mkdir -p $(@D)
	$(CC) -shared -fPIC -DHUBEL_LINK_LIBRARY -Wl,-soname,libcuda.so.1 -o $@ $(LINK)/libcuda.c $(LINK)/forward.S -ldl

# The packages that have files for the tag cuda.
TAGGED = ./kernels/cuda/cudriver/... ./kernels/cuda/cudadevice ./cmd/...

.PHONY: cuda-test
cuda-test: cuda-driver-test ## test the CUDA driver's side against a stand-in that records its calls
	$(CUDA_BUILD) $(GO) vet -tags cuda $(TAGGED)
	$(CUDA_BUILD) $(GO) test -tags cuda -timeout 10m -run "OnACard|CallFails|LateErrors|Device" ./cmd/train/program ./cmd/predict/program

.PHONY: cuda-driver-test
cuda-driver-test: cuda-needs .tools/link/libcuda.so
	$(CUDA_BUILD) $(GO) build -tags cuda -o /dev/null ./cmd/train
	$(CUDA_BUILD) $(GO) test -tags cuda -timeout 10m ./kernels/cuda/cudriver/... ./kernels/cuda/cudadevice

.PHONY: cuda-headers
cuda-headers: ## test the same with the headers of CUDA 12.9 and 13.5, which pip fetches
	@set -e; for version in 12.9 13.5; do \
		include=$$(tools/cuda-headers.sh $$version); \
		$(MAKE) --no-print-directory cuda-driver-test CUDA_INCLUDE="$$include"; \
	done

# Programs with MPI are compiled by MPI's own mpicc, which knows where its parts are.
MPICC ?= mpicc

.PHONY: mpi
mpi: ## build the commands with MPI into bin/, to train on several machines; MPICC=mpicc.mpich takes another
	@command -v $(MPICC) >/dev/null || { echo "make mpi: needs MPI's compiler, and there is no $(MPICC): install libopenmpi-dev or libmpich-dev and gcc, or name another with MPICC="; exit 1; }
	@mkdir -p bin
	CGO_ENABLED=1 CC=$(MPICC) $(GO) build -tags mpi -o bin/ ./cmd/...

# Each MPI of Debian has an mpicc and an mpirun of its own name.
.PHONY: mpi-test
mpi-test: ## test training with Debian's Open MPI and MPICH, those that are installed; HUBEL_LONG=1 kills ranks 20 times
	@set -e; found=; for mpi in openmpi mpich; do \
		command -v mpicc.$$mpi >/dev/null && command -v mpirun.$$mpi >/dev/null || { echo "mpi-test: $$mpi skipped, it is not installed: apt-get install lib$$mpi-dev $$mpi$$([ $$mpi = mpich ] || echo -bin)"; continue; }; \
		found=1; export CGO_ENABLED=1 CC=mpicc.$$mpi HUBEL_MPIRUN=mpirun.$$mpi; \
		echo "CC=$$CC HUBEL_MPIRUN=$$HUBEL_MPIRUN $(GO) test -tags mpi -run MPI ./cmd/train/program"; \
		$(GO) vet -tags mpi ./dist/mpi ./cmd/train/program; \
		$(GO) test -tags mpi -count=1 -timeout 20m -run MPI ./cmd/train/program ; \
	done; [ -n "$$found" ] || echo "mpi-test: skipped, there is no MPI"

# What a GPU machine without Go and network needs. gpu-check itself is without
# cgo, so that it runs, and says what fails, wherever Linux does.
BUNDLE = bin/gpu-bundle

.PHONY: gpu-bundle
gpu-bundle: cuda-needs mnist .tools/link/libcuda.so ## make bin/gpu-bundle, a folder to copy to a GPU machine: binaries, tests, MNIST, gpu-check
	@rm -rf $(BUNDLE)
	@mkdir -p $(BUNDLE)/bin $(BUNDLE)/tests
	$(CUDA_BUILD) $(GO) build -tags cuda -o $(BUNDLE)/bin/ ./cmd/train ./cmd/bench ./cmd/predict ./cmd/show
	$(CUDA_BUILD) $(GO) test -c -tags cuda -o $(BUNDLE)/tests/cuda.test ./kernels/cuda
	CGO_ENABLED=0 $(GO) build -o $(BUNDLE)/ ./cmd/gpu-check
	@cp -r datasets/mnist $(BUNDLE)/mnist
	@cp bench/peers/torch_layers.py $(BUNDLE)/
	$(GO) run ./cmd/convert -model alexnet -o $(BUNDLE)/alexnet.json
	@echo "copy $(BUNDLE) to a GPU machine and run gpu-check there"

.PHONY: gpu-check
gpu-check: gpu-bundle ## make the bundle and run gpu-check here, into a new folder of runs/; ARGS="-device ptxsim" simulates
	@out=runs/gpu-check; n=2; \
	while [ -e "$$out" ]; do out=runs/gpu-check-$$n; n=$$((n + 1)); done; \
	exec $(BUNDLE)/gpu-check -out "$$out" $(ARGS)

.PHONY: clean
clean: ## remove what was built; runs and data sets stay
	rm -rf bin
