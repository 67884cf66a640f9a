/* A stand-in for libcuda.so.1 that records what is asked of it.
 *
 *     cc -shared -fPIC -o recorder.so recorder.c
 *
 * Device memory is host memory. Kernels do nothing, but their arguments are
 * written down. The file that HUBEL_RECORD names gets a line for each call, and
 * one with "FAULT" for each that a real driver might not forgive: without a
 * context, in one that nobody holds, with what belongs to another or is unloaded,
 * outside the memory that there is, with more blocks or threads than there can be.
 *
 * HUBEL_FAIL=cuMemAlloc_v2:3:2 makes the third call of a function answer with
 * CUresult 2; with a + at its end, all calls after it too, as where a device is
 * lost. HUBEL_LATE=1 puts copies between host and device off until somebody waits,
 * as a driver may that reads the host's page tables. HUBEL_CAPABILITY=61,
 * HUBEL_DRIVER=11040, HUBEL_DEVICES=0 and HUBEL_MODE=2 change what the machine has. */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>

enum { invalid_value = 1, out_of_memory = 2, invalid_device = 101, invalid_context = 201, invalid_ptx = 218, invalid_handle = 400, not_found = 500, not_ready = 600, context_destroyed = 709 };

typedef int CUresult;
typedef struct { int retained; } context;

enum { most_params = 64 };

/* What a handle points to. */
typedef struct object {
	context *owner;
	char *text;            /* of a module, NULL once it is unloaded, and the name of a function */
	struct object *module; /* of a function */
	int params;            /* of a function, each of so many bytes: */
	unsigned char bytes[most_params];
	unsigned shared; /* bytes that a launch of a function may ask for */
	int at; /* when an event was recorded, counted from 1 */
} object;

/* Memory that is in use, on the device or page-locked. */
typedef struct allocation {
	struct allocation *next;
	char *at;
	size_t bytes;
	context *owner;
} allocation;

static FILE *record;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static context primary[2];
static __thread context *current;
static int retained, live_memory, live_host, live_streams, live_events, live_modules;
static allocation *memory;
static size_t total = 1L << 30, used;
static CUresult lost; /* what all calls answer once the device is */

static int setting(const char *name, int otherwise) {
	const char *v = getenv(name);
	return v ? atoi(v) : otherwise;
}

__attribute__((constructor)) static void open_record(void) {
	const char *path = getenv("HUBEL_RECORD");
	record = path ? fopen(path, "a") : NULL;
}

static void line(const char *format, ...) {
	if (!record) return;
	va_list args;
	va_start(args, format);
	vfprintf(record, format, args);
	va_end(args);
	fputc('\n', record);
	fflush(record);
}

/* left writes down how much is not freed; programs in Go end without a word to
 * their libraries, so that every change is. */
static void left(int *counter, int change) {
	pthread_mutex_lock(&lock);
	*counter += change;
	line("left: %d contexts, %d allocations, %d host allocations, %d streams, %d events, %d modules",
	     retained, live_memory, live_host, live_streams, live_events, live_modules);
	pthread_mutex_unlock(&lock);
}

/* answer says what a call has to answer. */
static CUresult answer(const char *call, int *count) {
	pthread_mutex_lock(&lock);
	++*count;
	const char *fail = getenv("HUBEL_FAIL");
	size_t n = strlen(call);
	CUresult r = lost;
	if (!lost && fail && !strncmp(fail, call, n) && fail[n] == ':') {
		char *rest;
		if (strtol(fail + n + 1, &rest, 10) == *count && *rest == ':')
			r = strtol(rest + 1, &rest, 10);
		if (r && *rest == '+')
			lost = r;
	}
	pthread_mutex_unlock(&lock);
	return r;
}

static void fault(const char *call, const char *what) {
	pthread_mutex_lock(&lock);
	line("FAULT in %s: %s", call, what);
	pthread_mutex_unlock(&lock);
}

/* CALL is one that needs no context, IN one that needs it. OWN is for what must
 * be of that context, and SPAN for memory. */
#define CALL(format, ...) \
	static int count_; \
	pthread_mutex_lock(&lock); \
	line("%s" format, __func__, ##__VA_ARGS__); \
	pthread_mutex_unlock(&lock); \
	ANSWER
#define ANSWER \
	CUresult r_ = answer(__func__, &count_); \
	if (r_) return r_
#define IN(...) \
	CALL(__VA_ARGS__); \
	if (!current) { fault(__func__, "there is no context"); return invalid_context; }
#define OWN(handle) \
	if (!(handle) || ((object *)(handle))->owner != current) { fault(__func__, #handle " is of another context"); return invalid_handle; }
#define LOADED(function) \
	OWN(function) \
	if (!((object *)(function))->module->text) { fault(__func__, #function " is of a module that is unloaded"); return invalid_handle; }
#define SPAN(address, bytes) \
	if (!inside((char *)(uintptr_t)(address), bytes)) { fault(__func__, #address " is not memory of the context"); return invalid_value; }

/* DEVICE makes the number of a device of its handle, which is another. */
enum { first_device = 10 };
#define DEVICE(d) \
	if (d < first_device || d >= first_device + 2) { fault(__func__, "no handle of a device"); return invalid_device; } \
	d -= first_device;

static object *make(char *text) {
	object *o = malloc(sizeof *o);
	*o = (object){current, text};
	return o;
}

/* parameters finds the parameters of a kernel between the parentheses of its
 * entry. None of them is an array. */
static void parameters(object *f, const char *entry) {
	const char *end = strchr(entry, ')'), *at = entry;
	while (end && (at = strstr(at, ".param .")) && at < end && f->params < most_params) {
		at += strlen(".param .");
		f->bytes[f->params++] = atoi(at + 1) / 8; /* u64, f32 */
	}
}

static int inside(char *at, size_t bytes) {
	int found = 0;
	pthread_mutex_lock(&lock);
	for (allocation *a = memory; a; a = a->next)
		found |= a->owner == current && at >= a->at && bytes <= a->bytes && (size_t)(at - a->at) <= a->bytes - bytes;
	pthread_mutex_unlock(&lock);
	return found;
}

static char *take(size_t bytes) {
	allocation *a = malloc(sizeof *a);
	char *at = aligned_alloc(256, (bytes + 255) / 256 * 256);
	memset(at, 0, bytes);
	pthread_mutex_lock(&lock);
	*a = (allocation){memory, at, bytes, current};
	memory = a;
	pthread_mutex_unlock(&lock);
	return at;
}

/* give frees what begins at an address, and returns its size or -1. */
static long give(char *at) {
	long bytes = -1;
	pthread_mutex_lock(&lock);
	for (allocation **a = &memory; *a; a = &(*a)->next)
		if ((*a)->at == at && (*a)->owner == current) {
			allocation *old = *a;
			bytes = old->bytes;
			*a = old->next;
			free(old->at);
			free(old);
			break;
		}
	pthread_mutex_unlock(&lock);
	return bytes;
}

/* Copies that are put off, in order, and how many events had been recorded when
 * the last were done. */
typedef struct copy {
	struct copy *next;
	void *to;
	const void *from;
	size_t bytes;
} copy;

static copy *first_copy, **last_copy = &first_copy;
static int records, done;

static void move(void *to, const void *from, size_t bytes) {
	if (!setting("HUBEL_LATE", 0)) {
		memcpy(to, from, bytes);
		return;
	}
	copy *c = malloc(sizeof *c);
	*c = (copy){NULL, to, from, bytes};
	pthread_mutex_lock(&lock);
	*last_copy = c;
	last_copy = &c->next;
	pthread_mutex_unlock(&lock);
}

/* finish does what is put off. */
static void finish(void) {
	pthread_mutex_lock(&lock);
	while (first_copy) {
		copy *c = first_copy;
		memcpy(c->to, c->from, c->bytes);
		first_copy = c->next;
		free(c);
	}
	last_copy = &first_copy;
	done = records;
	pthread_mutex_unlock(&lock);
}

CUresult cuInit(unsigned flags) { CALL(" %u", flags); return 0; }
CUresult cuDriverGetVersion(int *v) { *v = setting("HUBEL_DRIVER", 12020); return 0; }
CUresult cuDeviceGetCount(int *n) { CALL(""); *n = setting("HUBEL_DEVICES", 2); return 0; }
CUresult cuDeviceGet(int *d, int number) { CALL(" %d", number); *d = first_device + number; return 0; }
CUresult cuDeviceGetName(char *name, int len, int d) { DEVICE(d); CALL(" %d", d); snprintf(name, len, "Recorder %d", d); return 0; }
CUresult cuDeviceTotalMem_v2(size_t *bytes, int d) { DEVICE(d); CALL(" %d", d); *bytes = total; return 0; }
CUresult cuDeviceGetAttribute(int *v, int attribute, int d) {
	DEVICE(d);
	CALL(" %d %d", attribute, d);
	int capability = setting("HUBEL_CAPABILITY", 80);
	switch (attribute) {
	case 1: *v = 1024; break;               /* threads a block */
	case 8: *v = 49152; break;              /* shared memory a block */
	case 16: *v = 108; break;               /* multiprocessors */
	case 20: *v = setting("HUBEL_MODE", 0); break; /* compute mode */
	case 75: *v = capability / 10; break;
	case 76: *v = capability % 10; break;
	case 97: *v = 166912; break;            /* shared memory a block, opted in */
	default: return invalid_value;
	}
	return 0;
}
CUresult cuDevicePrimaryCtxRetain(void **c, int d) { DEVICE(d); CALL(" %d", d); *c = &primary[d]; primary[d].retained++; left(&retained, 1); return 0; }
CUresult cuDevicePrimaryCtxRelease_v2(int d) { DEVICE(d); CALL(" %d", d); primary[d].retained--; left(&retained, -1); return 0; }
CUresult cuCtxSetCurrent(void *c) {
	static int count_; /* too often to be written down */
	ANSWER;
	if (c && ((context *)c)->retained < 1) { fault(__func__, "nobody holds the context"); return context_destroyed; }
	current = c;
	return 0;
}
CUresult cuMemGetInfo_v2(size_t *free, size_t *all) { IN(""); *free = total - used; *all = total; return 0; }

CUresult cuMemAlloc_v2(uint64_t *p, size_t bytes) {
	IN(" %zu", bytes);
	if (used + bytes > total) return out_of_memory;
	*p = (uint64_t)(uintptr_t)take(bytes);
	used += bytes;
	left(&live_memory, 1);
	return 0;
}
CUresult cuMemFree_v2(uint64_t p) {
	IN("");
	SPAN(p, 0);
	finish();
	used -= give((char *)(uintptr_t)p);
	left(&live_memory, -1);
	return 0;
}
CUresult cuMemHostAlloc(void **p, size_t bytes, unsigned flags) { IN(" %zu %u", bytes, flags); *p = take(bytes); left(&live_host, 1); return 0; }
CUresult cuMemFreeHost(void *p) { IN(""); SPAN(p, 0); give(p); left(&live_host, -1); return 0; }

/* Copies between host and device say whether the host's memory is page-locked. */
static const char *locked(const void *p, size_t n) { return inside((char *)p, n) ? "page-locked" : "pageable"; }

CUresult cuMemcpyHtoDAsync_v2(uint64_t d, const void *s, size_t n, void *q) {
	const char *where = locked(s, n);
	IN(" %zu %s stream %p", n, where, q);
	OWN(q); SPAN(d, n);
	move((void *)(uintptr_t)d, s, n);
	return 0;
}
CUresult cuMemcpyDtoHAsync_v2(void *d, uint64_t s, size_t n, void *q) {
	const char *where = locked(d, n);
	IN(" %zu %s stream %p", n, where, q);
	OWN(q); SPAN(s, n);
	move(d, (void *)(uintptr_t)s, n);
	return 0;
}
CUresult cuMemcpyDtoDAsync_v2(uint64_t d, uint64_t s, size_t n, void *q) {
	IN(" %zu stream %p", n, q);
	OWN(q); SPAN(d, n); SPAN(s, n);
	finish();
	memcpy((void *)(uintptr_t)d, (void *)(uintptr_t)s, n);
	return 0;
}
CUresult cuMemsetD8Async(uint64_t d, unsigned char v, size_t n, void *q) {
	IN(" %u %zu stream %p", v, n, q);
	OWN(q); SPAN(d, n);
	finish();
	memset((void *)(uintptr_t)d, v, n);
	return 0;
}
CUresult cuMemsetD32Async(uint64_t d, unsigned v, size_t n, void *q) {
	IN(" %u %zu stream %p", v, n, q);
	OWN(q); SPAN(d, 4 * n);
	finish();
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
	*m = make(strdup(image));
	left(&live_modules, 1);
	return 0;
}
CUresult cuModuleUnload(void *m) { IN(""); OWN(m); free(((object *)m)->text); ((object *)m)->text = NULL; left(&live_modules, -1); return 0; }
CUresult cuModuleGetFunction(void **f, void *m, const char *name) {
	IN(" %s", name);
	OWN(m);
	char entry[128];
	snprintf(entry, sizeof entry, ".entry %s(", name);
	const char *found = strstr(((object *)m)->text, entry);
	if (!found) return not_found;
	object *o = make(strdup(name)); /* lives as long as the program, as a module's functions may */
	o->module = m;
	o->shared = 48 << 10;
	parameters(o, found);
	*f = o;
	return 0;
}
CUresult cuFuncGetAttribute(int *v, int attribute, void *f) { IN(" %d", attribute); LOADED(f); *v = attribute == 0 ? 1024 : 40 + attribute; return 0; }
CUresult cuFuncSetAttribute(void *f, int attribute, int v) { IN(" %d %d", attribute, v); LOADED(f); if (attribute == 8) ((object *)f)->shared = v; return 0; }
CUresult cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, void *q, void **params, void **extra) {
	object *o = f;
	char args[22 * most_params] = "", *end = args; /* 20 digits each */
	for (int i = 0; i < o->params; i++) {
		uint64_t value = 0;
		memcpy(&value, params[i], o->bytes[i]);
		end += sprintf(end, "%s%llu", i ? "," : "", (unsigned long long)value);
	}
	IN(" %s grid %u,%u,%u block %u,%u,%u shared %u extra %d args %s stream %p", o->text, gx, gy, gz, bx, by, bz, shared,
	   extra != NULL, args, q);
	LOADED(f); OWN(q);
	if (!gx || !gy || !gz || gx > 0x7fffffff || gy > 65535 || gz > 65535) { fault(__func__, "the grid"); return invalid_value; }
	if (!bx || !by || !bz || bz > 64 || (uint64_t)bx * by * bz > 1024) { fault(__func__, "the block"); return invalid_value; }
	if (shared > o->shared) { fault(__func__, "more shared memory than is allowed"); return invalid_value; }
	return 0;
}

CUresult cuStreamCreate(void **s, unsigned flags) { IN(" %u", flags); *s = make(NULL); left(&live_streams, 1); return 0; }
CUresult cuStreamDestroy_v2(void *s) { IN(""); OWN(s); free(s); left(&live_streams, -1); return 0; }
CUresult cuStreamSynchronize(void *s) { IN(""); OWN(s); finish(); return 0; }
CUresult cuStreamWaitEvent(void *s, void *e, unsigned flags) { IN(" stream %p event %p", s, e); OWN(s); OWN(e); return 0; }
CUresult cuEventCreate(void **e, unsigned flags) { IN(" %u", flags); *e = make(NULL); left(&live_events, 1); return 0; }
CUresult cuEventDestroy_v2(void *e) { IN(""); OWN(e); free(e); left(&live_events, -1); return 0; }
CUresult cuEventRecord(void *e, void *s) {
	IN(" event %p stream %p", e, s);
	OWN(e); OWN(s);
	pthread_mutex_lock(&lock);
	((object *)e)->at = ++records;
	pthread_mutex_unlock(&lock);
	return 0;
}
CUresult cuEventSynchronize(void *e) { IN(""); OWN(e); finish(); return 0; }
CUresult cuEventQuery(void *e) {
	IN(" event %p", e);
	OWN(e);
	pthread_mutex_lock(&lock);
	int passed = !first_copy || ((object *)e)->at <= done;
	pthread_mutex_unlock(&lock);
	return passed ? 0 : not_ready;
}
CUresult cuEventElapsedTime(float *ms, void *a, void *b) {
	IN("");
	OWN(a); OWN(b);
	*ms = 1.5f * (((object *)b)->at - ((object *)a)->at);
	return 0;
}

CUresult cuGetErrorName(CUresult r, const char **s) {
	*s = NULL;
	switch (r) {
	case 2: *s = "CUDA_ERROR_OUT_OF_MEMORY"; break;
	case 100: *s = "CUDA_ERROR_NO_DEVICE"; break;
	case 201: *s = "CUDA_ERROR_INVALID_CONTEXT"; break;
	case 218: *s = "CUDA_ERROR_INVALID_PTX"; break;
	case 221: *s = "CUDA_ERROR_JIT_COMPILER_NOT_FOUND"; break;
	case 223: *s = "CUDA_ERROR_JIT_COMPILATION_DISABLED"; break;
	case 500: *s = "CUDA_ERROR_NOT_FOUND"; break;
	case 700: *s = "CUDA_ERROR_ILLEGAL_ADDRESS"; break;
	case 719: *s = "CUDA_ERROR_LAUNCH_FAILED"; break;
	case 802: *s = "CUDA_ERROR_SYSTEM_NOT_READY"; break;
	case 803: *s = "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"; break;
	case 804: *s = "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"; break;
	case 999: *s = "CUDA_ERROR_UNKNOWN"; break;
	}
	return *s ? 0 : invalid_value;
}
CUresult cuGetErrorString(CUresult r, const char **s) {
	*s = r == out_of_memory ? "out of memory" : "an error of the test";
	return 0;
}
