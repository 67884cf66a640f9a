/* A stand-in for libcuda.so.1 that records what is asked of it.
 *
 *     cc -shared -fPIC -o recorder.so recorder.c
 *
 * Device memory is host memory. Kernels do nothing, but their arguments are
 * written down. The file that HUBEL_RECORD names gets a line for each call.
 * HUBEL_FAIL=cuMemAlloc_v2:3:2 makes the third call of a function answer with
 * CUresult 2; HUBEL_CAPABILITY=61, HUBEL_DRIVER=11040 and HUBEL_DEVICES=0 change
 * what the machine has. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

enum { invalid_value = 1, out_of_memory = 2, invalid_context = 201, invalid_ptx = 218, not_found = 500 };

typedef int CUresult;
typedef struct { int device; } context;
typedef struct { char name[64]; } function;

static FILE *record;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static context primary[2] = {{0}, {1}};
static __thread context *current;
static int retained, live_memory, live_host, live_streams, live_events, live_modules;
static long total = 1L << 30, used;

static int setting(const char *name, int otherwise) {
	const char *v = getenv(name);
	return v ? atoi(v) : otherwise;
}

__attribute__((constructor)) static void open_record(void) {
	const char *path = getenv("HUBEL_RECORD");
	record = path ? fopen(path, "a") : NULL;
}

/* left writes down how much is not freed; programs in Go end without a word to
 * their libraries, so that every change is. */
static void left(int *counter, int change) {
	pthread_mutex_lock(&lock);
	*counter += change;
	if (record) {
		fprintf(record, "left: %d contexts, %d allocations, %d host allocations, %d streams, %d events, %d modules\n",
		        retained, live_memory, live_host, live_streams, live_events, live_modules);
		fflush(record);
	}
	pthread_mutex_unlock(&lock);
}

/* fails writes a call down and says what it has to answer. */
static CUresult fails(const char *call, int *count, const char *format, ...) {
	pthread_mutex_lock(&lock);
	++*count;
	if (record) {
		va_list args;
		va_start(args, format);
		fprintf(record, "%s", call);
		vfprintf(record, format, args);
		fputc('\n', record);
		fflush(record);
		va_end(args);
	}
	const char *fail = getenv("HUBEL_FAIL");
	size_t n = strlen(call);
	CUresult answer = 0;
	if (fail && !strncmp(fail, call, n) && fail[n] == ':') {
		char *rest;
		if (strtol(fail + n + 1, &rest, 10) == *count && *rest == ':')
			answer = atoi(rest + 1);
	}
	pthread_mutex_unlock(&lock);
	return answer;
}

/* CALL is one that needs no context, IN one that needs it. */
#define CALL(...) \
	static int count_; \
	CUresult r_ = fails(__func__, &count_, __VA_ARGS__); \
	if (r_) return r_
#define IN(...) \
	CALL(__VA_ARGS__); \
	if (!current) { \
		if (record) fprintf(record, "NO CONTEXT in %s\n", __func__); \
		return invalid_context; \
	}

CUresult cuInit(unsigned flags) { CALL(" %u", flags); return 0; }
CUresult cuDriverGetVersion(int *v) { *v = setting("HUBEL_DRIVER", 12020); return 0; }
CUresult cuDeviceGetCount(int *n) { CALL(""); *n = setting("HUBEL_DEVICES", 2); return 0; }
CUresult cuDeviceGetName(char *name, int len, int d) { CALL(" %d", d); snprintf(name, len, "Recorder %d", d); return 0; }
CUresult cuDeviceTotalMem_v2(size_t *bytes, int d) { CALL(" %d", d); *bytes = total; return 0; }
CUresult cuDeviceGetAttribute(int *v, int attribute, int d) {
	CALL(" %d %d", attribute, d);
	int capability = setting("HUBEL_CAPABILITY", 80);
	switch (attribute) {
	case 1: *v = 1024; break;               /* threads a block */
	case 8: *v = 49152; break;              /* shared memory a block */
	case 16: *v = 108; break;               /* multiprocessors */
	case 75: *v = capability / 10; break;
	case 76: *v = capability % 10; break;
	case 97: *v = 166912; break;            /* shared memory a block, opted in */
	default: return invalid_value;
	}
	return 0;
}
CUresult cuDevicePrimaryCtxRetain(void **c, int d) { CALL(" %d", d); *c = &primary[d]; left(&retained, 1); return 0; }
CUresult cuDevicePrimaryCtxRelease_v2(int d) { CALL(" %d", d); left(&retained, -1); return 0; }
CUresult cuCtxSetCurrent(void *c) {
	static int count; /* too often to be written down */
	FILE *r = record;
	record = NULL;
	CUresult answer = fails(__func__, &count, "");
	record = r;
	if (!answer) current = c;
	return answer;
}
CUresult cuMemGetInfo_v2(size_t *free, size_t *all) { IN(""); *free = total - used; *all = total; return 0; }

/* The size of an allocation stands before it. */
static void *take(size_t bytes) {
	size_t *p = malloc(bytes + 256);
	*p = bytes;
	memset((char *)p + 256, 0, bytes);
	return (char *)p + 256;
}
CUresult cuMemAlloc_v2(uint64_t *p, size_t bytes) {
	IN(" %zu", bytes);
	if (used + (long)bytes > total) return out_of_memory;
	*p = (uint64_t)(uintptr_t)take(bytes);
	left(&live_memory, 1);
	used += bytes;
	return 0;
}
CUresult cuMemFree_v2(uint64_t p) {
	IN("");
	size_t *base = (size_t *)(uintptr_t)(p - 256);
	used -= *base;
	left(&live_memory, -1);
	free(base);
	return 0;
}
CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags) { IN(" %zu %u", bytes, flags); *p = take(bytes); left(&live_host, 1); return 0; }
CUresult cuMemFreeHost(void *p) { IN(""); free((char *)p - 256); left(&live_host, -1); return 0; }
CUresult cuMemcpyHtoDAsync_v2(uint64_t d, const void *s, size_t n, void *q) { IN(" %zu", n); memcpy((void *)(uintptr_t)d, s, n); return 0; }
CUresult cuMemcpyDtoHAsync_v2(void *d, uint64_t s, size_t n, void *q) { IN(" %zu", n); memcpy(d, (void *)(uintptr_t)s, n); return 0; }
CUresult cuMemcpyDtoDAsync_v2(uint64_t d, uint64_t s, size_t n, void *q) { IN(" %zu", n); memcpy((void *)(uintptr_t)d, (void *)(uintptr_t)s, n); return 0; }
CUresult cuMemsetD8Async(uint64_t d, unsigned char v, size_t n, void *q) { IN(" %u %zu", v, n); memset((void *)(uintptr_t)d, v, n); return 0; }
CUresult cuMemsetD32Async(uint64_t d, unsigned v, size_t n, void *q) {
	IN(" %u %zu", v, n);
	for (size_t i = 0; i < n; i++) ((unsigned *)(uintptr_t)d)[i] = v;
	return 0;
}

CUresult cuModuleLoadDataEx(void **m, const void *image, unsigned n, int *options, void **values) {
	IN(" %zu", strlen(image));
	if (!strstr(image, ".version")) {
		for (unsigned i = 0; i < n; i++)
			if (options[i] == 5) strcpy(values[i], "ptxas fatal : Missing .version directive\n"); /* error log */
		return invalid_ptx;
	}
	*m = strdup(image);
	left(&live_modules, 1);
	return 0;
}
CUresult cuModuleUnload(void *m) { IN(""); free(m); left(&live_modules, -1); return 0; }
CUresult cuModuleGetFunction(void **f, void *m, const char *name) {
	IN(" %s", name);
	char entry[128];
	snprintf(entry, sizeof entry, ".entry %s(", name);
	if (!strstr(m, entry)) return not_found;
	function *g = malloc(sizeof *g); /* lives as long as the program, as a module's functions may */
	snprintf(g->name, sizeof g->name, "%s", name);
	*f = g;
	return 0;
}
CUresult cuFuncGetAttribute(int *v, int attribute, void *f) { IN(" %d", attribute); *v = attribute == 0 ? 1024 : 40 + attribute; return 0; }
CUresult cuFuncSetAttribute(void *f, int attribute, int v) { IN(" %d %d", attribute, v); return 0; }
CUresult cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, void *q, void **params, void **extra) {
	uint64_t first = params && params[0] ? *(uint64_t *)params[0] : 0;
	IN(" %s grid %u,%u,%u block %u,%u,%u shared %u extra %d first %llu", ((function *)f)->name, gx, gy, gz, bx, by, bz, shared,
	   extra != NULL, (unsigned long long)first);
	return 0;
}
CUresult cuStreamCreate(void **s, unsigned flags) { IN(" %u", flags); *s = malloc(1); left(&live_streams, 1); return 0; }
CUresult cuStreamDestroy_v2(void *s) { IN(""); free(s); left(&live_streams, -1); return 0; }
CUresult cuStreamSynchronize(void *s) { IN(""); return 0; }
CUresult cuStreamWaitEvent(void *s, void *e, unsigned flags) { IN(""); return 0; }
CUresult cuEventCreate(void **e, unsigned flags) { IN(" %u", flags); *e = malloc(1); left(&live_events, 1); return 0; }
CUresult cuEventDestroy_v2(void *e) { IN(""); free(e); left(&live_events, -1); return 0; }
CUresult cuEventRecord(void *e, void *s) { IN(""); return 0; }
CUresult cuEventSynchronize(void *e) { IN(""); return 0; }
CUresult cuEventElapsedTime(float *ms, void *a, void *b) { IN(""); *ms = 1.5f; return 0; }

CUresult cuGetErrorName(CUresult r, const char **s) {
	*s = r == out_of_memory ? "CUDA_ERROR_OUT_OF_MEMORY" : r == invalid_context ? "CUDA_ERROR_INVALID_CONTEXT" :
	     r == invalid_ptx ? "CUDA_ERROR_INVALID_PTX" : r == not_found ? "CUDA_ERROR_NOT_FOUND" :
	     r == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : r == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : r == 999 ? "CUDA_ERROR_UNKNOWN" : NULL;
	return *s ? 0 : invalid_value;
}
CUresult cuGetErrorString(CUresult r, const char **s) {
	*s = r == out_of_memory ? "out of memory" : "an error of the test";
	return 0;
}
