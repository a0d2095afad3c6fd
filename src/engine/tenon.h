/* Tenon's C interface: load a model, run it on memory of the caller's.
 *
 *   tenon_session* session;
 *   if (tenon_session_load("model.onnx", NULL, &session) != TENON_OK) puts(tenon_last_error());
 *
 *   int64_t dims[] = {1, 3, 224, 224};
 *   tenon_tensor image = {TENON_FLOAT32, 4, dims, pixels}, scores = {0};
 *   if (tenon_session_run(session, &image, 1, &scores, 1, NULL) == TENON_OK) use(scores.data);
 *   tenon_tensor_release(&scores);
 *   tenon_session_free(session);
 *
 * Functions that can fail return a tenon_status; tenon_last_error() then says what is wrong.
 * Nothing here throws. A session may be run by several threads at once.
 */
#ifndef TENON_TENON_H
#define TENON_TENON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The interface only grows: what is compiled against version N runs with every later one. */
#define TENON_API_VERSION 1
int tenon_api_version(void);
/* "0.1.0" */
const char* tenon_version(void);

/* As the exit codes of the program `tenon`. */
typedef enum tenon_status {
  TENON_OK = 0,
  TENON_USAGE = 2,       /* a wrong argument, name, type or shape */
  TENON_DATA = 3,        /* a damaged file */
  TENON_UNSUPPORTED = 4, /* an operator that Tenon does not know */
  TENON_RESOURCE = 5,    /* memory, files */
  TENON_BUG = 70,        /* a mistake in Tenon; please report it */
  TENON_CANCELLED = 130
} tenon_status;

/* Of the calling thread's last call that failed; valid until its next one. */
const char* tenon_last_error(void);

/* Element types, numbered as in ONNX (TensorProto.DataType). */
typedef enum tenon_type {
  TENON_UNDEFINED = 0,
  TENON_FLOAT32 = 1,
  TENON_UINT8 = 2,
  TENON_INT8 = 3,
  TENON_UINT16 = 4,
  TENON_INT16 = 5,
  TENON_INT32 = 6,
  TENON_INT64 = 7,
  TENON_BOOL = 9,
  TENON_FLOAT16 = 10,
  TENON_FLOAT64 = 11,
  TENON_UINT32 = 12,
  TENON_UINT64 = 13,
  TENON_BFLOAT16 = 16
} tenon_type;

typedef struct tenon_session tenon_session;
typedef struct tenon_cancellation tenon_cancellation;

typedef struct tenon_session_options {
  size_t size;      /* sizeof(tenon_session_options): lets later versions add to it */
  int threads;      /* inside operators; 0: as many as the machine has */
  int no_passes;    /* nonzero: the graph as it is */
  int no_tuning;    /* nonzero: do not time kernels against each other */
  size_t max_plans; /* shapes for which plans are kept; 0: 16 */
} tenon_session_options;

/* An ONNX model. `options` may be NULL. */
tenon_status tenon_session_load(const char* path, const tenon_session_options* options,
                                tenon_session** session);
void tenon_session_free(tenon_session* session); /* NULL does nothing */

size_t tenon_session_input_count(const tenon_session* session);
size_t tenon_session_output_count(const tenon_session* session);
/* NULL past the last one. Lives as long as the session. */
const char* tenon_session_input_name(const tenon_session* session, size_t index);
const char* tenon_session_output_name(const tenon_session* session, size_t index);

/* What is declared: -1 for sizes that are free. */
typedef struct tenon_port {
  tenon_type type; /* TENON_UNDEFINED: strings or containers, which this interface does not carry */
  size_t rank;
  const int64_t* dims; /* lives as long as the session */
} tenon_port;
tenon_status tenon_session_input(const tenon_session* session, size_t index, tenon_port* port);
tenon_status tenon_session_output(const tenon_session* session, size_t index, tenon_port* port);

/* Row-major elements. */
typedef struct tenon_tensor {
  tenon_type type;
  size_t rank;
  const int64_t* dims;
  void* data;
  void* owner; /* of results that Tenon allocated; else NULL */
} tenon_tensor;

/* Inputs in order; they are only read. Outputs: where `data` is NULL, Tenon allocates the result,
 * which is released with tenon_tensor_release; otherwise type, rank and dims must be the result's,
 * and it is written there. `cancellation` may be NULL. */
tenon_status tenon_session_run(const tenon_session* session, const tenon_tensor* inputs,
                               size_t input_count, tenon_tensor* outputs, size_t output_count,
                               const tenon_cancellation* cancellation);
/* Frees a result and clears it; does nothing to a tensor of the caller's. */
void tenon_tensor_release(tenon_tensor* tensor);

/* Stops runs from another thread, once and for all of its runs. */
tenon_cancellation* tenon_cancellation_new(void);
void tenon_cancellation_cancel(const tenon_cancellation* cancellation);
void tenon_cancellation_free(tenon_cancellation* cancellation);

#ifdef __cplusplus
}
#endif

#endif
