/* The same from C: loads the model named on the command line, runs it on zeros, prints the shapes.
 *
 *   embed_c model.onnx
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/tenon.h"

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, tenon_last_error());
  return 1;
}

/* Free sizes become 1; the data are zeros of 8 bytes an element at most. */
static int64_t* fill(const tenon_port* port, tenon_tensor* tensor) {
  int64_t* dims = malloc((port->rank + 1) * sizeof(int64_t));
  size_t count = 1;
  for (size_t i = 0; i < port->rank; ++i) {
    dims[i] = port->dims[i] < 0 ? 1 : port->dims[i];
    count *= (size_t)dims[i];
  }
  tensor->type = port->type;
  tensor->rank = port->rank;
  tensor->dims = dims;
  tensor->data = calloc(count + 1, 8);
  tensor->owner = NULL;
  return dims;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s model.onnx\n", argv[0]);
    return 2;
  }
  tenon_session_options options = {0};
  options.size = sizeof(options);
  options.threads = 1;
  tenon_session* session = NULL;
  if (tenon_session_load(argv[1], &options, &session) != TENON_OK) return fail("load");

  const size_t inputs = tenon_session_input_count(session);
  const size_t outputs = tenon_session_output_count(session);
  tenon_tensor* given = calloc(inputs + 1, sizeof(tenon_tensor));
  tenon_tensor* results = calloc(outputs + 1, sizeof(tenon_tensor));
  int64_t** dims = calloc(inputs + 1, sizeof(int64_t*));
  for (size_t i = 0; i < inputs; ++i) {
    tenon_port port;
    if (tenon_session_input(session, i, &port) != TENON_OK) return fail("input");
    dims[i] = fill(&port, &given[i]);
  }
  const tenon_status status = tenon_session_run(session, given, inputs, results, outputs, NULL);
  for (size_t o = 0; o < outputs && status == TENON_OK; ++o) {
    printf("%s: [", tenon_session_output_name(session, o));
    for (size_t i = 0; i < results[o].rank; ++i)
      printf("%s%lld", i ? ", " : "", (long long)results[o].dims[i]);
    printf("]\n");
    tenon_tensor_release(&results[o]);
  }
  for (size_t i = 0; i < inputs; ++i) {
    free(given[i].data);
    free(dims[i]);
  }
  free(given);
  free(results);
  free(dims);
  tenon_session_free(session);
  return status == TENON_OK && outputs > 0 ? 0 : fail("run");
}
