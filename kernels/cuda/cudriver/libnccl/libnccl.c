//go:build cuda && linux && amd64

// NCCL's functions, found in libnccl.so.2 when hubel_nccl_open is called. Their types are those of
// nccl.h of version 2.7 and later, which keeps them.

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libnccl.h"

enum { float32 = 7, sum = 0 }; // ncclFloat32, ncclSum

typedef struct { char internal[128]; } unique_id; // goes by value

#define FUNCTIONS(F) \
	F(ncclGetUniqueId, (unique_id *)) \
	F(ncclCommInitRank, (void **, int, unique_id, int)) \
	F(ncclCommAbort, (void *)) \
	F(ncclCommDestroy, (void *)) \
	F(ncclCommGetAsyncError, (void *, int *)) \
	F(ncclGroupStart, (void)) \
	F(ncclGroupEnd, (void)) \
	F(ncclAllReduce, (const void *, void *, size_t, int, int, void *, void *)) \
	F(ncclReduce, (const void *, void *, size_t, int, int, int, void *, void *)) \
	F(ncclReduceScatter, (const void *, void *, size_t, int, int, void *, void *)) \
	F(ncclAllGather, (const void *, void *, size_t, int, void *, void *)) \
	F(ncclBroadcast, (const void *, void *, size_t, int, int, void *, void *)) \
	F(ncclSend, (const void *, size_t, int, int, void *, void *)) \
	F(ncclRecv, (void *, size_t, int, int, void *, void *))

#define DECLARE(name, args) static int (*name) args;
FUNCTIONS(DECLARE)
static const char *(*ncclGetErrorString)(int);

static char problem[512];

// HUBEL_LIBNCCL names another file: tests put a recording stand-in there.
static const char usual[] = "libnccl.so.2";

// hubel_nccl_open opens the library. It returns what is wrong with it, which is empty where it is
// in order.
const char *hubel_nccl_open(void) {
	const char *name = getenv("HUBEL_LIBNCCL");
	name = name ? name : usual;
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(problem, sizeof problem, "%s", dlerror());
		return problem;
	}
#define FIND(function, args) \
	if (!(*(void **)&function = dlsym(library, #function))) { \
		snprintf(problem, sizeof problem, "%s has no %s: it is no NCCL of version 2.7 or later", name, #function); \
		return problem; \
	}
	FUNCTIONS(FIND)
	*(void **)&ncclGetErrorString = dlsym(library, "ncclGetErrorString");
	return problem;
}

const char *hubel_nccl_says(int code) { return ncclGetErrorString ? ncclGetErrorString(code) : "no text"; }

int hubel_nccl_id(void *id) { return ncclGetUniqueId(id); }

int hubel_nccl_join(void **comm, int size, const void *id, int rank) {
	unique_id u;
	memcpy(&u, id, sizeof u);
	return ncclCommInitRank(comm, size, u, rank);
}

// one is a call, whose op is a driver.Collective.
static int one(void *comm, void *stream, const hubel_nccl_call *c) {
	void *dst = (void *)(uintptr_t)c->dst;
	const void *src = (const void *)(uintptr_t)c->src;
	switch (c->op) {
	case 0: return ncclAllReduce(src, dst, c->count, float32, sum, comm, stream);
	case 1: return ncclReduce(src, dst, c->count, float32, sum, c->peer, comm, stream);
	case 2: return ncclReduceScatter(src, dst, c->count, float32, sum, comm, stream);
	case 3: return ncclAllGather(src, dst, c->count, float32, comm, stream);
	case 4: return ncclBroadcast(src, dst, c->count, float32, c->peer, comm, stream);
	case 5: return ncclSend(src, c->count, float32, c->peer, comm, stream);
	default: return ncclRecv(dst, c->count, float32, c->peer, comm, stream);
	}
}

// hubel_nccl_do makes calls, several as one group. A group is of the thread that makes it, so all of
// it is one call from Go.
int hubel_nccl_do(void *comm, void *stream, const hubel_nccl_call *calls, int n) {
	if (n == 1)
		return one(comm, stream, calls);
	int code = ncclGroupStart();
	if (code)
		return code;
	for (int i = 0; i < n && !code; i++)
		code = one(comm, stream, &calls[i]);
	int ended = ncclGroupEnd();
	return code ? code : ended;
}

int hubel_nccl_failed(void *comm, int *code) { return ncclCommGetAsyncError(comm, code); }
int hubel_nccl_abort(void *comm) { return ncclCommAbort(comm); }
int hubel_nccl_destroy(void *comm) { return ncclCommDestroy(comm); }
