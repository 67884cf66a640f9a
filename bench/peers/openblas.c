/* Times OpenBLAS's sgemm. Each line of the input is a product,
 *
 *     M N K transA transB
 *
 * and each line of the output its sample times in seconds and a checksum of
 * its values, as JSON. Inputs and checksum are those of package bench.
 *
 *     cc -O2 -o openblas openblas.c -lopenblas
 *     openblas RUNS THREADS < products */
#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* A matrix of numbers in [-1,1): Knuth's multiplicative hash of the index. */
static float *uniform(size_t n) {
	float *x = malloc(n * sizeof *x);
	if (!x) {
		fprintf(stderr, "openblas: no memory for a matrix of %zu elements\n", n);
		exit(1);
	}
	for (size_t i = 0; i < n; i++)
		x[i] = (float)(((uint32_t)i * 2654435761u) >> 8) / (1 << 23) - 1;
	return x;
}

int main(int argc, char **argv) {
	int runs, m, n, k, ta, tb;
	if (argc != 3 || (runs = atoi(argv[1])) < 1 || atoi(argv[2]) < 1) {
		fprintf(stderr, "usage: openblas RUNS THREADS < products\n");
		return 2;
	}
	openblas_set_num_threads(atoi(argv[2]));
	while (scanf("%d %d %d %d %d", &m, &n, &k, &ta, &tb) == 5) {
		float *a = uniform((size_t)m * k), *b = uniform((size_t)k * n), *c = uniform((size_t)m * n);
		long times = 1;
		printf("{\"samples\":[");
		for (int run = -2; run < runs; run++) { /* one to warm up, one to see how often to repeat */
			double start = now();
			for (long i = 0; i < times; i++)
				cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans,
				            m, n, k, 1, a, ta ? m : k, b, tb ? k : n, 0, c, n);
			double took = now() - start;
			if (run == -1 && took < 2e-3)
				times = (long)(2e-3 / (took > 1e-9 ? took : 1e-9));
			if (run >= 0)
				printf("%s%.9g", run ? "," : "", took / times);
		}
		double sum = 0, absolute = 0;
		for (size_t i = 0; i < (size_t)m * n; i++) {
			double term = (double)c[i] * (double)(1 + i % 7);
			sum += term;
			absolute += fabs(term);
		}
		printf("],\"checksum\":{\"sum\":%.17g,\"absolute\":%.17g}}\n", sum, absolute);
		fflush(stdout);
		free(a), free(b), free(c);
	}
	return 0;
}
