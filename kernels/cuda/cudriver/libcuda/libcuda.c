//go:build cuda && linux && amd64

// The driver is opened when the program starts. Every symbol is a jump to the
// address found there (forward.S), or to one that answers "not found".

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

// The two values of CUresult that are made here.
enum { success = 0, not_found = 500 };

static int missing(void) { return not_found; }

#define SYMBOL(name) __attribute__((visibility("hidden"))) void *hubel_##name = (void *)missing;
#include "symbols.h"
#undef SYMBOL

static int (*init)(unsigned), (*count)(int *);
static char problem[512];

// What a machine has at hand where nothing else is said. HUBEL_LIBCUDA names
// another file: tests put a recording stand-in there.
static const char usual[] = "libcuda.so.1";

__attribute__((constructor)) static void open_driver(void) {
	const char *name = getenv("HUBEL_LIBCUDA");
	void *driver = dlopen(name ? name : usual, RTLD_NOW | RTLD_LOCAL);
	if (!driver) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return;
	}
	init = (int (*)(unsigned))dlsym(driver, "cuInit");
	count = (int (*)(int *))dlsym(driver, "cuDeviceGetCount");
	if (!init || !count) {
		snprintf(problem, sizeof problem, "%s is no CUDA driver: it has no cuInit", name ? name : usual);
		return;
	}
	void *f;
#define SYMBOL(name) if ((f = dlsym(driver, #name))) hubel_##name = f;
#include "symbols.h"
#undef SYMBOL
}

// cuInit is called by package cu when the program starts, which ends the
// process on an error. So it never fails: what went wrong is kept for
// hubel_cuda_problem, and there are no devices.
int cuInit(unsigned flags) {
	if (init && !problem[0]) {
		int code = init(flags);
		if (code) {
			snprintf(problem, sizeof problem, "cuInit failed with CUDA error %d", code);
			const char *text = NULL;
			int (*explain)(int, const char **) = (int (*)(int, const char **))hubel_cuGetErrorString;
			if (!explain(code, &text) && text)
				snprintf(problem, sizeof problem, "cuInit: %s (CUDA error %d)", text, code);
		}
	}
	return success;
}

int cuDeviceGetCount(int *n) {
	*n = 0;
	return problem[0] || !count ? success : count(n);
}

const char *hubel_cuda_problem(void) { return problem; }
