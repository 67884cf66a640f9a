/* A stand-in for libnccl.so.2 that records what is asked of it, for devices of one process whose
 * memory is that of recorder.c, which is the host's.
 *
 *     cc -shared -fPIC -o nccl.so nccl.c -lpthread
 *
 * The file that HUBEL_RECORD names gets a line for each call, and one with "FAULT" for each that
 * NCCL might not forgive. Calls do at once what NCCL enqueues: they wait for the other devices of
 * the group, and the last to come does the work, with sums in the order of ranks.
 *
 * HUBEL_NCCL_FAIL=ncclAllReduce:2 makes each call of a function answer with that result, and
 * HUBEL_NCCL_ASYNC=6 is what ncclCommGetAsyncError tells of. */
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { invalid_argument = 4, invalid_usage = 5, most_ranks = 8, most_calls = 64 };

typedef struct { char internal[128]; } unique_id;

typedef struct { char op[20]; const float *src; float *dst; size_t count; int peer; } call;

typedef struct comm comm;

typedef struct group {
	struct group *next;
	unique_id id;
	int size, joined, there, turn, aborted;
	comm *ranks[most_ranks];
} group;

struct comm {
	group *g;
	int rank, live, n;
	call calls[most_calls];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static group *groups;
static int ids, live;
static __thread int depth;
static __thread comm *open; /* of the group under way */

static void line(const char *format, ...) {
	static FILE *record;
	const char *path = getenv("HUBEL_RECORD");
	if (!record && !(record = path ? fopen(path, "a") : NULL)) return;
	va_list args;
	va_start(args, format);
	vfprintf(record, format, args);
	va_end(args);
	fputc('\n', record);
	fflush(record);
}

static int answer(const char *name) {
	const char *fail = getenv("HUBEL_NCCL_FAIL");
	size_t n = strlen(name);
	return fail && !strncmp(fail, name, n) && fail[n] == ':' ? atoi(fail + n + 1) : 0;
}

static int fault(const char *what) {
	line("FAULT of NCCL: %s", what);
	return invalid_usage;
}

static int is(const call *c, const char *op) { return !strcmp(c->op, op); }

static int perform(group *g) {
	for (int r = 0; r < g->size; r++) {
		comm *m = g->ranks[r];
		for (int i = 0; i < m->n; i++) {
			call *c = &m->calls[i], *same;
			if (is(c, "ncclSend")) continue;
			if (is(c, "ncclRecv")) {
				comm *o = g->ranks[c->peer];
				int found = 0;
				for (int k = 0; k < o->n; k++)
					if (is(&o->calls[k], "ncclSend") && o->calls[k].peer == r && o->calls[k].count == c->count && !found++)
						memcpy(c->dst, o->calls[k].src, 4 * c->count);
				if (!found) return fault("no send for a receive");
				continue;
			}
			int n = c->count, at = is(c, "ncclReduceScatter") ? r * n : 0;
			for (int k = 0; k < g->size; k++) {
				same = &g->ranks[k]->calls[i];
				if (i >= g->ranks[k]->n || !is(same, c->op) || same->count != c->count || same->peer != c->peer)
					return fault("ranks make different calls");
			}
			if (is(c, "ncclAllGather"))
				for (int k = 0; k < g->size; k++) memmove(c->dst + k * n, g->ranks[k]->calls[i].src, 4 * n);
			else if (is(c, "ncclBroadcast"))
				memmove(c->dst, g->ranks[c->peer]->calls[i].src, 4 * n);
			else if (!is(c, "ncclReduce") || c->peer == r) {
				if (r > 0 && is(c, "ncclAllReduce")) { memcpy(c->dst, g->ranks[0]->calls[i].dst, 4 * n); continue; }
				for (int e = 0; e < n; e++) {
					float s = g->ranks[0]->calls[i].src[at + e];
					for (int k = 1; k < g->size; k++) s += g->ranks[k]->calls[i].src[at + e];
					c->dst[e] = s;
				}
			}
		}
	}
	return 0;
}

/* meet waits for the other ranks. */
static int meet(comm *c) {
	group *g = c->g;
	int r = 0;
	pthread_mutex_lock(&lock);
	int turn = g->turn;
	if (++g->there == g->size) {
		r = perform(g);
		g->there = 0;
		for (int k = 0; k < g->size; k++) g->ranks[k]->n = 0;
		g->turn++;
		pthread_cond_broadcast(&changed);
	}
	while (g->turn == turn && !g->aborted) pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return r;
}

static int add(const char *op, const void *src, void *dst, size_t count, int type, int peer, comm *c, void *stream) {
	pthread_mutex_lock(&lock);
	line("%s %zu %d of rank %d stream %p", op, count, peer, c->rank, stream);
	pthread_mutex_unlock(&lock);
	int r = answer(op);
	if (r) return r;
	if (!c->live) return fault("a comm that is freed");
	if (!stream) return fault("the default stream");
	if (type != 7 || !count || c->n == most_calls) return fault("what no call has");
	if ((uintptr_t)src % 4 || (uintptr_t)dst % 4) return invalid_argument;
	call *n = &c->calls[c->n++];
	*n = (call){"", src, dst, count, peer};
	strcpy(n->op, op);
	if (!depth) return meet(c);
	open = c;
	return 0;
}

int ncclGetUniqueId(unique_id *id) {
	line("ncclGetUniqueId");
	int r = answer(__func__);
	memset(id, 0x5a, sizeof *id);
	pthread_mutex_lock(&lock);
	id->internal[127] = ++ids;
	pthread_mutex_unlock(&lock);
	return r;
}

int ncclCommInitRank(void **out, int size, unique_id id, int rank) {
	pthread_mutex_lock(&lock);
	line("ncclCommInitRank %d of %d, id %d", rank, size, id.internal[127]);
	int r = answer(__func__);
	if (r || size > most_ranks || id.internal[0] != 0x5a) { pthread_mutex_unlock(&lock); return r ? r : fault("an id"); }
	group *g = groups;
	while (g && memcmp(&g->id, &id, sizeof id)) g = g->next;
	if (!g) {
		g = calloc(1, sizeof *g);
		g->id = id, g->size = size, g->next = groups;
		groups = g;
	}
	comm *c = calloc(1, sizeof *c);
	c->g = g, c->rank = rank, c->live = 1;
	g->ranks[rank] = c;
	g->joined++;
	line("left of NCCL: %d", ++live);
	pthread_cond_broadcast(&changed);
	while (g->joined < g->size) pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	*out = c;
	return 0;
}

static int release(comm *c, const char *how) {
	pthread_mutex_lock(&lock);
	line("%s of rank %d", how, c->rank);
	int r = answer(how);
	if (!c->live) r = fault("a comm that is freed twice");
	c->live = 0;
	line("left of NCCL: %d", --live);
	if (!strcmp(how, "ncclCommAbort")) c->g->aborted = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return r;
}

int ncclCommAbort(comm *c) { return release(c, __func__); }
int ncclCommDestroy(comm *c) { return release(c, __func__); }
int ncclCommGetAsyncError(comm *c, int *code) {
	const char *v = getenv("HUBEL_NCCL_ASYNC");
	*code = v ? atoi(v) : 0;
	return c->live ? 0 : fault("a comm that is freed");
}
int ncclGroupStart(void) { line("ncclGroupStart"); depth++; return answer(__func__); }
int ncclGroupEnd(void) {
	line("ncclGroupEnd");
	comm *c = open;
	open = NULL;
	if (--depth) return fault("groups in groups");
	return c ? meet(c) : 0;
}
int ncclAllReduce(const void *s, void *d, size_t n, int type, int op, void *c, void *q) { return op ? fault("no sum") : add(__func__, s, d, n, type, 0, c, q); }
int ncclReduce(const void *s, void *d, size_t n, int type, int op, int root, void *c, void *q) { return op ? fault("no sum") : add(__func__, s, d, n, type, root, c, q); }
int ncclReduceScatter(const void *s, void *d, size_t n, int type, int op, void *c, void *q) { return op ? fault("no sum") : add(__func__, s, d, n, type, 0, c, q); }
int ncclAllGather(const void *s, void *d, size_t n, int type, void *c, void *q) { return add(__func__, s, d, n, type, 0, c, q); }
int ncclBroadcast(const void *s, void *d, size_t n, int type, int root, void *c, void *q) { return add(__func__, s, d, n, type, root, c, q); }
int ncclSend(const void *s, size_t n, int type, int peer, void *c, void *q) { return add(__func__, s, NULL, n, type, peer, c, q); }
int ncclRecv(void *d, size_t n, int type, int peer, void *c, void *q) { return add(__func__, NULL, d, n, type, peer, c, q); }
const char *ncclGetErrorString(int code) { return code == 2 ? "unhandled system error" : "an error of the test"; }
