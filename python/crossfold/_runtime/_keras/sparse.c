// Trains a chain of Dense layers, ReLU between them, by Adam, on rows that are mostly zeros.
//
// What comes in to a layer is a list of what is not zero: of the rows, and of what ReLU leaves. A product of
// matrices is then a sum of rows of a kernel, and the gradient of a kernel sums of rows of a delta.
// `_sparse.py` calls `arrange` and `train`, and has the same structures.

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif
// A clone is for its processor only as far as functions are parts of it.
#define INLINE static inline __attribute__((always_inline))

// Units are padded to whole vectors, so that no loop has a rest.
#define LANES 16
#define MOST_VECTORS 4
typedef float vector __attribute__((vector_size(4 * LANES)));
typedef int32_t bits __attribute__((vector_size(4 * LANES)));

// What is not zero in batches of rows: by rows, and once more by the columns of each batch.
struct entries {
	int32_t *starts, *columns;  // those of a row begin at starts[row]; (rows + 1,)
	float *values;
	int32_t *column_starts, *column_rows;  // the same of columns; (batches, columns + 2), rows in a batch
	float *column_values;
};

// A variable and its two moments, as Keras keeps them.
struct variable {
	float *value, *momentum, *velocity;
};

struct layer {
	struct variable kernel, bias;  // (inputs, units), (units,)
	int32_t inputs, units;
};

enum activation { LINEAR, SOFTMAX, SIGMOID };

struct task {
	const struct layer *layers;
	int32_t depth, activation;
	const int32_t *used;  // the columns of the rows: rows of the first kernel
	int32_t used_count, batch;
	struct entries x;
	const float *y;        // (rows, units of the last layer)
	float *logits;         // the same: what the last layer gives before its activation
	const int64_t *order;  // of rows
	int64_t count;
	int64_t iterations;  // of Adam, before this epoch
	double rate, beta_1, beta_2, epsilon;
	double scale;  // (output - y) * scale is the gradient of a row's loss
};

// What a layer works with. Kernels are (inputs, width), deltas (batch, width).
struct state {
	int32_t inputs, units, width;
	struct variable kernel, bias;
	float *delta;       // first the layer's outputs, then the gradient of the loss by them
	float *transposed;  // the kernel: (units, width of the layer below)
	struct entries in;
};

struct step {
	float alpha, rest_1, rest_2, epsilon;
};

// sums += Σ values[i] * matrix[indices[i]], vector by vector.
INLINE void add(vector *sums, const int vectors, const float *matrix, int32_t width, const int32_t *indices,
		const float *values, int32_t count)
{
	vector sum[MOST_VECTORS];
	for (int k = 0; k < vectors; k++)
		sum[k] = sums[k];
	for (int32_t i = 0; i < count; i++) {
		const vector *row = (const vector *)(matrix + (int64_t)indices[i] * width);
		for (int k = 0; k < vectors; k++)
			sum[k] += values[i] * row[k];
	}
	for (int k = 0; k < vectors; k++)
		sums[k] = sum[k];
}

// The same of one vector, in two sums that do not wait for each other.
INLINE void add_one(vector *sums, const float *matrix, int32_t width, const int32_t *indices,
		    const float *values, int32_t count)
{
	vector even = *sums, odd = {0};
	int32_t i = 0;
	for (; i + 2 <= count; i += 2) {
		even += values[i] * *(const vector *)(matrix + (int64_t)indices[i] * width);
		odd += values[i + 1] * *(const vector *)(matrix + (int64_t)indices[i + 1] * width);
	}
	if (i < count)
		even += values[i] * *(const vector *)(matrix + (int64_t)indices[i] * width);
	*sums = even + odd;
}

INLINE void add_rows(float *sums, const float *matrix, int32_t width, const int32_t *indices,
		     const float *values, int32_t count)
{
	int32_t at = 0;
	for (; at + 4 * LANES <= width; at += 4 * LANES)
		add((vector *)(sums + at), 4, matrix + at, width, indices, values, count);
	for (; at + 2 * LANES <= width; at += 2 * LANES)
		add((vector *)(sums + at), 2, matrix + at, width, indices, values, count);
	for (; at < width; at += LANES)
		add_one((vector *)(sums + at), matrix + at, width, indices, values, count);
}

// Keras' own formulas.
INLINE void update(float *restrict value, float *restrict m, float *restrict v, const float *restrict gradient,
		   int32_t count, struct step step)
{
	for (int32_t i = 0; i < count; i++) {
		const float g = gradient[i];
		m[i] += (g - m[i]) * step.rest_1;
		v[i] += (g * g - v[i]) * step.rest_2;
		value[i] -= m[i] * step.alpha / (sqrtf(v[i]) + step.epsilon);
	}
}

INLINE void forward(const struct state *layer, int32_t rows)
{
	const struct entries *in = &layer->in;
	for (int32_t row = 0; row < rows; row++) {
		const int32_t start = in->starts[row];
		float *output = layer->delta + (int64_t)row * layer->width;
		memcpy(output, layer->bias.value, 4 * layer->width);
		add_rows(output, layer->kernel.value, layer->width, in->columns + start, in->values + start,
			 in->starts[row + 1] - start);
	}
}

// What ReLU leaves of the outputs of one layer comes in to the next. NaN stays NaN.
INLINE void rectify(const struct state *layer, int32_t rows, struct entries *in)
{
	int32_t end = 0;
	for (int32_t row = 0; row < rows; row++) {
		const float *output = layer->delta + (int64_t)row * layer->width;
		in->starts[row] = end;
		for (int32_t unit = 0; unit < layer->units; unit++) {
			in->columns[end] = unit;
			in->values[end] = output[unit];
			end += !(output[unit] <= 0);
		}
	}
	in->starts[rows] = end;
}

INLINE void by_columns(struct entries *in, int32_t rows, int32_t columns)
{
	int32_t *next = in->column_starts + 1;  // where a column's next entry goes: at last, where it ends
	memset(in->column_starts, 0, 4 * (columns + 2));
	for (int32_t i = in->starts[0]; i < in->starts[rows]; i++)
		next[in->columns[i] + 1]++;
	in->column_starts[0] = next[0] = in->starts[0];
	for (int32_t column = 0; column < columns; column++)
		next[column + 1] += next[column];
	for (int32_t row = 0; row < rows; row++)
		for (int32_t i = in->starts[row]; i < in->starts[row + 1]; i++) {
			const int32_t at = next[in->columns[i]]++;
			in->column_rows[at] = row;
			in->column_values[at] = in->values[i];
		}
}

INLINE void activate(float *output, int32_t units, int32_t activation)
{
	if (activation == SOFTMAX) {
		float most = output[0], sum = 0;
		for (int32_t unit = 1; unit < units; unit++)
			most = output[unit] > most ? output[unit] : most;
		for (int32_t unit = 0; unit < units; unit++)
			sum += output[unit] = expf(output[unit] - most);
		for (int32_t unit = 0; unit < units; unit++)
			output[unit] /= sum;
	} else if (activation == SIGMOID) {
		for (int32_t unit = 0; unit < units; unit++)
			output[unit] = 1 / (1 + expf(-output[unit]));
	}
}

// The delta of the last layer.
INLINE void compare(const struct task *task, const struct state *last, const int64_t *order, int32_t rows)
{
	const int32_t units = last->units;
	const float scale = task->scale / rows;
	for (int32_t row = 0; row < rows; row++) {
		const int64_t at = order[row] * units;
		float *output = last->delta + (int64_t)row * last->width;
		memcpy(task->logits + at, output, 4 * units);
		activate(output, units, task->activation);
		for (int32_t unit = 0; unit < units; unit++)
			output[unit] = (output[unit] - task->y[at + unit]) * scale;
	}
}

// The delta of the layer below, whose outputs are where it goes. `each` is 0, 1, 2, ...
INLINE void backward(const struct state *layer, int32_t rows, const struct state *below, const int32_t *each)
{
	const int32_t width = below->width;
	for (int32_t input = 0; input < layer->inputs; input++)
		for (int32_t unit = 0; unit < layer->units; unit++)
			layer->transposed[(int64_t)unit * width + input] =
				layer->kernel.value[(int64_t)input * layer->width + unit];
	for (int32_t row = 0; row < rows; row++)
		for (int32_t at = 0; at < width; at += LANES) {
			vector sum = {0}, *output = (vector *)(below->delta + (int64_t)row * width + at);
			add_one(&sum, layer->transposed + at, width, each,
				layer->delta + (int64_t)row * layer->width, layer->units);
			*output = (vector)((bits)sum & ~(*output <= (vector){0}));
		}
}

// The gradient of some units' weights, and what Adam does with it while it is at hand.
INLINE void learn_units(const struct state *layer, int32_t at, const int vectors, struct step step)
{
	const struct entries *in = &layer->in;
	for (int32_t column = 0; column < layer->inputs; column++) {
		const int32_t start = in->column_starts[column];
		vector gradient[MOST_VECTORS] = {{0}};
		add(gradient, vectors, layer->delta + at, layer->width, in->column_rows + start,
		    in->column_values + start, in->column_starts[column + 1] - start);
		const int64_t first = (int64_t)column * layer->width + at;
		update(layer->kernel.value + first, layer->kernel.momentum + first,
		       layer->kernel.velocity + first, (const float *)gradient, vectors * LANES, step);
	}
}

INLINE void learn(const struct state *layer, int32_t rows, float *gradient, struct step step)
{
	const int32_t width = layer->width;
	int32_t at = 0;
	for (; at + 4 * LANES <= width; at += 4 * LANES)
		learn_units(layer, at, 4, step);
	for (; at + 2 * LANES <= width; at += 2 * LANES)
		learn_units(layer, at, 2, step);
	for (; at < width; at += LANES)
		learn_units(layer, at, 1, step);
	memset(gradient, 0, 4 * width);
	for (int32_t row = 0; row < rows; row++)
		for (int32_t unit = 0; unit < width; unit++)
			gradient[unit] += layer->delta[(int64_t)row * width + unit];
	update(layer->bias.value, layer->bias.momentum, layer->bias.velocity, gradient, width, step);
}

// In Keras' own precision: the first steps are as large as how 1 - beta ** 1 is rounded makes them.
static struct step step_of(const struct task *task, int64_t iteration)
{
	const float power_1 = powf(task->beta_1, iteration), power_2 = powf(task->beta_2, iteration);
	return (struct step){(float)task->rate * sqrtf(1 - power_2) / (1 - power_1), 1 - task->beta_1,
			     1 - task->beta_2, task->epsilon};
}

FOR_EACH_PROCESSOR
static void train_batches(const struct task *task, struct state *states, float *gradient, const int32_t *each)
{
	const int32_t depth = task->depth;
	int64_t iteration = task->iterations;
	for (int64_t begin = 0; begin < task->count; begin += task->batch) {
		const int64_t rest = task->count - begin;
		const int32_t rows = rest < task->batch ? (int32_t)rest : task->batch;
		const struct step step = step_of(task, ++iteration);
		for (int32_t i = 0; i < depth; i++) {
			if (i > 0)
				rectify(states + i - 1, rows, &states[i].in);
			forward(states + i, rows);
		}
		compare(task, states + depth - 1, task->order + begin, rows);
		for (int32_t i = depth - 1; i > 0; i--) {
			by_columns(&states[i].in, rows, states[i].inputs);
			backward(states + i, rows, states + i - 1, each);
			learn(states + i, rows, gradient, step);
		}
		learn(states, rows, gradient, step);
		states->in.starts += rows;
		states->in.column_starts += states->inputs + 2;
	}
}

struct arena {
	float *base;  // NULL: only counts
	size_t used;
};

static size_t padded(size_t count)
{
	return (count + LANES - 1) / LANES * LANES;
}

static void *take(struct arena *arena, size_t count)
{
	void *taken = arena->base ? arena->base + arena->used : NULL;
	arena->used += padded(count);
	return taken;
}

static struct variable take_variable(struct arena *arena, size_t size)
{
	float *value = take(arena, size), *momentum = take(arena, size);
	return (struct variable){value, momentum, take(arena, size)};
}

static struct state take_state(struct arena *arena, const struct task *task, int32_t i)
{
	const struct layer *layer = task->layers + i;
	struct state s = {.inputs = i ? layer->inputs : task->used_count, .units = layer->units, .in = task->x};
	s.width = (int32_t)padded(s.units);
	s.kernel = take_variable(arena, (size_t)s.inputs * s.width);
	s.bias = take_variable(arena, s.width);
	s.delta = take(arena, (size_t)task->batch * s.width);
	if (i) {
		const size_t most = (size_t)task->batch * s.inputs + 1;
		s.transposed = take(arena, s.units * padded(s.inputs));
		s.in = (struct entries){.starts = take(arena, task->batch + 1), .columns = take(arena, most),
					.values = take(arena, most), .column_starts = take(arena, s.inputs + 2),
					.column_rows = take(arena, most), .column_values = take(arena, most)};
	}
	return s;
}

static void copy(float *whole, float *part, const int32_t *used, const struct state *s, int32_t rows, int back)
{
	for (int32_t i = 0; i < rows; i++) {
		float *theirs = whole + (int64_t)(used ? used[i] : i) * s->units;
		float *own = part + (int64_t)i * s->width;
		memcpy(back ? theirs : own, back ? own : theirs, 4 * s->units);
	}
}

static void copy_variables(const struct task *task, const struct state *states, int back)
{
	for (int32_t i = 0; i < task->depth; i++) {
		const struct state *s = states + i;
		const struct variable *kernel = &task->layers[i].kernel, *bias = &task->layers[i].bias;
		const int32_t *used = i ? NULL : task->used;
		copy(kernel->value, s->kernel.value, used, s, s->inputs, back);
		copy(kernel->momentum, s->kernel.momentum, used, s, s->inputs, back);
		copy(kernel->velocity, s->kernel.velocity, used, s, s->inputs, back);
		copy(bias->value, s->bias.value, NULL, s, 1, back);
		copy(bias->momentum, s->bias.momentum, NULL, s, 1, back);
		copy(bias->velocity, s->bias.velocity, NULL, s, 1, back);
	}
}

static void take_all(struct arena *arena, const struct task *task, struct state *states, float **gradient,
		     int32_t **each)
{
	int32_t widest = 0;
	for (int32_t i = 0; i < task->depth; i++) {
		states[i] = take_state(arena, task, i);
		widest = states[i].width > widest ? states[i].width : widest;
	}
	*gradient = take(arena, widest);
	*each = take(arena, widest);
	for (int32_t i = 0; arena->base && i < widest; i++)
		(*each)[i] = i;
}

// Numbers too small to be normal count as zero, as in TensorFlow's threads. Returns what was set before.
static unsigned flush_small(void)
{
#ifdef __SSE2__
	const unsigned mode = _mm_getcsr();
	_mm_setcsr(mode | 0x8040);
	return mode;
#else
	return 0;
#endif
}

static void restore(unsigned mode)
{
#ifdef __SSE2__
	_mm_setcsr(mode);
#else
	(void)mode;
#endif
}

// Trains for one epoch on rows that were arranged; returns 0, or -1 where there is no memory for it.
int train(const struct task *task)
{
	struct arena arena = {0};
	float *gradient;
	int32_t *each;
	struct state *states = calloc(task->depth, sizeof *states);
	if (!states)
		return -1;
	take_all(&arena, task, states, &gradient, &each);
	const size_t size = arena.used * sizeof(float);
	arena = (struct arena){aligned_alloc(sizeof(vector), size), 0};
	if (!arena.base) {
		free(states);
		return -1;
	}
	memset(arena.base, 0, size);
	take_all(&arena, task, states, &gradient, &each);
	copy_variables(task, states, 0);
	const unsigned mode = flush_small();
	train_batches(task, states, gradient, each);
	restore(mode);
	copy_variables(task, states, 1);
	free(arena.base);
	free(states);
	return 0;
}

// Finds what is not zero in these columns of rows (x is (rows, width)), batch by batch in an order.
void arrange(const float *x, int64_t width, const int32_t *used, int32_t used_count, const int64_t *order,
	     int64_t count, int32_t batch, const struct entries *found)
{
	struct entries in = *found;
	int32_t end = 0;
	for (int64_t begin = 0; begin < count; begin += batch) {
		const int32_t rows = count - begin < batch ? (int32_t)(count - begin) : batch;
		for (int32_t row = 0; row < rows; row++) {
			const float *values = x + order[begin + row] * width;
			in.starts[row] = end;
			for (int32_t column = 0; column < used_count; column++)
				if (values[used[column]] != 0) {
					in.columns[end] = column;
					in.values[end++] = values[used[column]];
				}
		}
		in.starts[rows] = end;
		by_columns(&in, rows, used_count);
		in.starts += rows;
		in.column_starts += used_count + 2;
	}
}
