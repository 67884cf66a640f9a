//go:build cuda && linux && amd64

// Every symbol is a jump to the address that hubel_cuda_open found in the driver
// (forward.S), or to one that answers "not found".

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

// The two values of CUresult that are made here.
enum { success = 0, not_found = 500 };

static int missing(void) { return not_found; }

#define SYMBOL(name) __attribute__((visibility("hidden"))) void *hubel_##name = (void *)missing;
#include "symbols.h"
#undef SYMBOL

static char problem[512];

// What a machine has at hand where nothing else is said. HUBEL_LIBCUDA names
// another file: tests put a recording stand-in there.
static const char usual[] = "libcuda.so.1";

// cuInit is called by package cu when the program starts, which ends the
// process on an error. So nothing happens here: hubel_cuda_open calls the
// driver's, once a CUDA device is asked for.
int cuInit(unsigned flags) { return success; }

// hubel_cuda_open opens the driver. It returns what is wrong with the library,
// which is empty where it is in order, and what the driver's cuInit returns.
const char *hubel_cuda_open(int *code) {
	const char *name = getenv("HUBEL_LIBCUDA");
	void *driver = dlopen(name ? name : usual, RTLD_NOW | RTLD_LOCAL), *f;
	if (!driver) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return problem;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(driver, "cuInit");
	if (!init) {
		snprintf(problem, sizeof problem, "%s is no CUDA driver: it has no cuInit", name ? name : usual);
		return problem;
	}
#define SYMBOL(name) if ((f = dlsym(driver, #name))) hubel_##name = f;
#include "symbols.h"
#undef SYMBOL
	*code = init(0);
	return problem;
}
