#include <stdint.h>

// A call of an operation, as driver.Call has it.
typedef struct {
	uint64_t dst, src, count;
	int op, peer;
} hubel_nccl_call;

const char *hubel_nccl_open(void);
const char *hubel_nccl_says(int code);
int hubel_nccl_id(void *id);
int hubel_nccl_join(void **comm, int size, const void *id, int rank);
int hubel_nccl_do(void *comm, void *stream, const hubel_nccl_call *calls, int n);
int hubel_nccl_failed(void *comm, int *code);
int hubel_nccl_abort(void *comm);
int hubel_nccl_destroy(void *comm);
