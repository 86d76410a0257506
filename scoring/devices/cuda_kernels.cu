// All cycles of a table at once: patch the edges that moved, filter, value what survives, keep the best.
//
// Compiled with INDEX_BYTES (of a hop), WIDTH (hops a cycle), THREADS (a block's) and --fmad=false: float64
// arithmetic is that of the processor, operation by operation, so both return the same bits.
//
// The filter adds float32 logarithms of rates. Every logarithm is rounded up after SLACK was added, and every
// sum is rounded up, so a sum that is not positive proves that the float64 product of the rates is not above 1.

#if INDEX_BYTES == 2
typedef unsigned short INDEX;
#else
typedef int INDEX;
#endif

#define LANES (16 / sizeof(INDEX))  // cycles that a thread reads at once: 16 bytes of every hop
#define TILE (THREADS * LANES)
#define NOBODY 0xffffffffu
#define INFINITE __int_as_float(0x7f800000)
#define SLACK 9.094947017729282e-13  // 2^-40: more than all float64 roundings of an edge, see potentials.py
#define ORDINARY 1.6069380442589903e60  // 2^200: further from 1 no five rates surely stay within float64

// What a cycle needs of an edge: 32 bytes, one sector of memory.
struct __align__(32) Edge {
    double rate, bend, cost, worth;
};

// The best cycles that a block has seen; all its threads work on it together.
struct Best {
    double* nets;
    unsigned* rows;
    int* held;       // in shared memory, as the arrays
    int keep;        // how many are wanted
    int capacity;    // a power of two, at least keep + THREADS
    double least;    // net value and row of the last that is wanted, once there are so many
    unsigned last;
};

// By net value, then by row.
__device__ __forceinline__ bool before(double net, unsigned row, double other, unsigned other_row) {
    return net > other || (net == other && row < other_row);
}

// Sort what is held and forget what is not wanted. Called by all threads.
__device__ void shrink(Best& best) {
    const int held = *best.held;
    int size = 2;
    while (size < held) size *= 2;
    for (int i = held + threadIdx.x; i < size; i += THREADS) {
        best.nets[i] = 0.0;
        best.rows[i] = NOBODY;
    }
    __syncthreads();
    for (int run = 2; run <= size; run *= 2) {
        for (int step = run / 2; step > 0; step /= 2) {
            for (int pair = threadIdx.x; pair < size / 2; pair += THREADS) {
                const int low = 2 * pair - (pair & (step - 1));
                const int high = low + step;
                const bool falling = (low & run) == 0;
                const double net = best.nets[low], other = best.nets[high];
                const unsigned row = best.rows[low], other_row = best.rows[high];
                if (before(other, other_row, net, row) == falling) {
                    best.nets[low] = other;
                    best.nets[high] = net;
                    best.rows[low] = other_row;
                    best.rows[high] = row;
                }
            }
            __syncthreads();
        }
    }
    const int kept = min(held, best.keep);
    if (threadIdx.x == 0) *best.held = kept;
    if (kept == best.keep) {
        best.least = best.nets[kept - 1];
        best.last = best.rows[kept - 1];
    }
    __syncthreads();
}

// Take over one cycle a thread. Called by all threads; a net value that is not positive is none.
__device__ void take(Best& best, double net, unsigned row) {
    if (net > 0.0 && before(net, row, best.least, best.last)) {
        const int place = atomicAdd(best.held, 1);
        best.nets[place] = net;
        best.rows[place] = row;
    }
    __syncthreads();
    const int held = *best.held;
    __syncthreads();
    if (held > best.capacity - THREADS) shrink(best);
}

// Write what is wanted, the best of all blocks side by side.
__device__ void hand_over(Best& best, double* nets, unsigned* rows, int place, int stride) {
    shrink(best);
    const int held = *best.held;
    for (int rank = threadIdx.x; rank < best.keep; rank += THREADS) {
        nets[(size_t)rank * stride + place] = rank < held ? best.nets[rank] : 0.0;
        rows[(size_t)rank * stride + place] = rank < held ? best.rows[rank] : NOBODY;
    }
}

__device__ Best empty_best(char* memory, int* held, int keep, int capacity) {
    Best best;
    best.nets = reinterpret_cast<double*>(memory);
    best.rows = reinterpret_cast<unsigned*>(best.nets + capacity);
    best.held = held;
    best.keep = keep;
    best.capacity = capacity;
    best.least = 0.0;
    best.last = NOBODY;
    if (threadIdx.x == 0) *held = 0;
    __syncthreads();
    return best;
}

// The profit's bound in wei of the native token, less what the swaps cost; the processor's operations in its order.
__device__ __forceinline__ double net_value(const INDEX* hops, size_t stride, unsigned row, const Edge* edges) {
    double rate = 1.0, bend = 0.0, cost = 0.0, worth = 0.0;
#pragma unroll
    for (int hop = 0; hop < WIDTH; ++hop) {
        const Edge edge = edges[hops[hop * stride + row]];
        bend += edge.bend * rate;
        rate *= edge.rate;
        cost = hop == 0 ? edge.cost : cost + edge.cost;
        if (hop == 0) worth = edge.worth;
    }
    if (!(rate > 1.0)) return 0.0;
    const double root = sqrt(rate) - 1.0;
    return worth * (root * root / bend) - cost;
}

// Append the rows of threads that have one to the block's queue, one reservation a warp.
__device__ __forceinline__ void enqueue(bool alive, unsigned row, unsigned* queue, int* queued) {
    const unsigned who = __ballot_sync(0xffffffffu, alive);
    if (who == 0) return;
    const int lane = threadIdx.x & 31;
    int place = 0;
    if (lane == 0) place = atomicAdd(queued, __popc(who));
    place = __shfl_sync(0xffffffffu, place, 0);
    if (alive) queue[place + __popc(who & ((1u << lane) - 1u))] = row;
}

// Whether the rates' product may be above one; never false if it is. An edge of a rate out of the ordinary
// has the logarithm +inf, and with one of rate 0 the sum is no number: both stay.
__device__ __forceinline__ bool may_earn(const INDEX (*hops)[LANES], int lane, const float* logs) {
    float sum = logs[hops[0][lane]];
#pragma unroll
    for (int hop = 1; hop < WIDTH; ++hop) sum = __fadd_ru(sum, logs[hops[hop][lane]]);
    return !(sum <= 0.0f);
}

// Read a thread's cycles of one tile and queue those that may earn something.
__device__ __forceinline__ void filter(
    const INDEX* hops, size_t stride, unsigned cycles, unsigned first, const float* logs, unsigned* queue, int* queued
) {
    __align__(16) INDEX mine[WIDTH][LANES];
    if (first < cycles) {
#pragma unroll
        for (int hop = 0; hop < WIDTH; ++hop) {
            *reinterpret_cast<uint4*>(mine[hop]) = *reinterpret_cast<const uint4*>(hops + hop * stride + first);
        }
    }
#pragma unroll
    for (int lane = 0; lane < LANES; ++lane) {
        const unsigned row = first + lane;
        enqueue(row < cycles && may_earn(mine, lane, logs), row, queue, queued);
    }
}

// The best cycles of each block, in the state blockIdx.y: grid (blocks, states).
extern "C" __global__ void score(
    const INDEX* hops, size_t stride, unsigned cycles, const Edge* edges, const float* logs, int edge_count,
    int keep, int capacity, int logs_shared, double* nets, unsigned* rows
) {
    extern __shared__ __align__(32) char memory[];
    __shared__ int held, queued;
    Best best = empty_best(memory, &held, keep, capacity);
    unsigned* queue = best.rows + capacity;
    edges += (size_t)blockIdx.y * edge_count;
    logs += (size_t)blockIdx.y * edge_count;
    if (logs_shared) {
        float* copy = reinterpret_cast<float*>(queue + THREADS + TILE);
        for (int edge = threadIdx.x; edge < edge_count; edge += THREADS) copy[edge] = logs[edge];
        logs = copy;
    }
    if (threadIdx.x == 0) queued = 0;
    __syncthreads();
    const unsigned tiles = (cycles + TILE - 1) / TILE;
    for (unsigned tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        filter(hops, stride, cycles, tile * TILE + threadIdx.x * LANES, logs, queue, &queued);
        __syncthreads();
        int waiting = queued;
        // only full rounds, so that no thread idles through roots and divisions; the rest waits for more
        while (waiting >= THREADS) {
            waiting -= THREADS;
            const unsigned row = queue[waiting + threadIdx.x];
            take(best, net_value(hops, stride, row, edges), row);
        }
        __syncthreads();
        if (threadIdx.x == 0) queued = waiting;
        __syncthreads();
    }
    const bool one_more = threadIdx.x < queued;
    const unsigned row = one_more ? queue[threadIdx.x] : NOBODY;
    take(best, one_more ? net_value(hops, stride, row, edges) : 0.0, row);
    const size_t before_state = (size_t)blockIdx.y * keep * gridDim.x;
    hand_over(best, nets + before_state, rows + before_state, blockIdx.x, gridDim.x);
}

// The best of what the blocks found, in each state: grid (1, states).
extern "C" __global__ void merge(
    const double* nets, const unsigned* rows, int blocks, int keep, int capacity, double* best_nets, unsigned* best_rows
) {
    extern __shared__ __align__(32) char memory[];
    __shared__ int held;
    Best best = empty_best(memory, &held, keep, capacity);
    const int found = blocks * keep;
    nets += (size_t)blockIdx.y * found;
    rows += (size_t)blockIdx.y * found;
    // every block's first comes before any block's second, so the limit is close after the first round
    for (int round = 0; round < found; round += THREADS) {
        const int place = round + threadIdx.x;
        take(best, place < found ? nets[place] : 0.0, place < found ? rows[place] : NOBODY);
    }
    hand_over(best, best_nets + (size_t)blockIdx.y * keep, best_rows + (size_t)blockIdx.y * keep, 0, 1);
}

// A logarithm for the filter, of a rate between tokens valued by their potentials: the differences (drops)
// cancel around a cycle, and what is left is near zero, where float32 resolves it.
__device__ float upper_log(double rate, double drop) {
    if (rate == 0.0) return -INFINITE;
    if (!(rate < ORDINARY && rate > 1.0 / ORDINARY)) return INFINITE;
    return __double2float_ru(log(rate) + drop + SLACK);
}

// Write edges that moved into the tables of their states. The first number says how many there are.
extern "C" __global__ void patch(
    const int* count, const int* states, const int* moved, const double* rates, const double* bends,
    const double* drops, int edge_count, Edge* edges, float* logs
) {
    for (int i = blockIdx.x * THREADS + threadIdx.x; i < *count; i += gridDim.x * THREADS) {
        const int edge = moved[i];
        const size_t place = (size_t)states[i] * edge_count + edge;
        edges[place].rate = rates[i];
        edges[place].bend = bends[i];
        logs[place] = upper_log(rates[i], drops[edge]);
    }
}

// Copy the present tables to every state: grid (blocks, states).
extern "C" __global__ void spread(
    const Edge* edges, const float* logs, int edge_count, Edge* state_edges, float* state_logs
) {
    const size_t before_state = (size_t)blockIdx.y * edge_count;
    for (int edge = blockIdx.x * THREADS + threadIdx.x; edge < edge_count; edge += gridDim.x * THREADS) {
        state_edges[before_state + edge] = edges[edge];
        state_logs[before_state + edge] = logs[edge];
    }
}

// Count rows that hold a hop that is no edge or start elsewhere (wrong[0]), and others that are no closed walks
// (wrong[1]). The last edge pads.
extern "C" __global__ void check(
    const INDEX* hops, size_t stride, unsigned cycles, const int* start, const int* token_in, const int* token_out,
    int edge_count, unsigned long long* wrong
) {
    const unsigned padding = edge_count - 1;
    for (unsigned row = blockIdx.x * THREADS + threadIdx.x; row < cycles; row += gridDim.x * THREADS) {
        int token = start[row];
        bool known = true, closed = true;
        for (int hop = 0; hop < WIDTH && known; ++hop) {
            const unsigned edge = hops[hop * stride + row];
            known = edge <= padding && (hop > 0 || token_in[edge] == token);
            if (!known || edge == padding) continue;
            closed = closed && token_in[edge] == token;
            token = token_out[edge];
        }
        if (!known) atomicAdd(wrong, 1ULL);
        else if (!closed || token != start[row]) atomicAdd(wrong + 1, 1ULL);
    }
}
