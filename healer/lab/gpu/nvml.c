/* A stand-in for NVIDIA's management library: one device, for a process that has none.
 *
 * Every figure is an effect of what the process does. Memory is what its allocator holds, so weights,
 * keys and values of running sequences and leaks all count, and all of it falls when it is given back;
 * utilisation is the share of a core that it computes with. Nothing here can be told a figure while
 * it runs: the size of the device comes from its environment at the start, as a volume's does, and
 * the faults below are chosen when it is compiled, by tests of whoever reads them.
 *
 * No header is needed, so the smallest compiler will do. */

#ifndef STANDIN_XID
#define STANDIN_XID 0 /* reported once, some milliseconds after somebody listens */
#endif
#ifndef STANDIN_ECC
#define STANDIN_ECC -1 /* uncorrected errors; -1: a device without ECC */
#endif
#ifndef STANDIN_LOST
#define STANDIN_LOST 0 /* 1: the device has fallen off the bus */
#endif
#define STANDIN_UUID "GPU-57a4d1a0-0000-4000-8000-00000000d0e5"

typedef unsigned long size;
typedef unsigned long long wide;
struct heap { size arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keep; };
struct moment { long seconds, nanoseconds; };

extern struct heap mallinfo2(void);
extern char *getenv(const char *);
extern wide strtoull(const char *, char **, int);
extern char *strncpy(char *, const char *, size);
extern int getpid(void);
extern int clock_gettime(int, struct moment *);
extern int poll(void *, size, int);

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, SMALL = 7, TIMEOUT = 10, LOST = 15 };
enum { MONOTONIC = 1, PROCESS_CPU = 2 };

static int device, listener, told;
static double last_wall, last_cpu, last_share;

static double seconds(int which) {
  struct moment now;
  clock_gettime(which, &now);
  return now.seconds + now.nanoseconds / 1e9;
}

static wide total(void) {
  const char *given = getenv("LAB_GPU_MEMORY");
  wide bytes = given ? strtoull(given, 0, 10) : 0;
  return bytes ? bytes : 1ull << 30;
}

static wide used(void) {
  struct heap heap = mallinfo2();
  wide held = heap.uordblks + heap.hblkhd;
  return held < total() ? held : total();
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return OK; }
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int code) {
  switch (code) {
    case UNSUPPORTED: return "Not Supported";
    case TIMEOUT: return "Timeout";
    case LOST: return "GPU is lost";
    default: return "Unknown Error";
  }
}

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
  strncpy(text, "stand-in", length);
  return OK;
}

int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
  *handle = &device;
  return index == 0 ? OK : INVALID;
}

int nvmlDeviceGetUUID(void *handle, char *text, unsigned length) {
  (void)handle;
  strncpy(text, STANDIN_UUID, length);
  return OK;
}

int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
  (void)handle;
  strncpy(text, "stand-in for a GPU", length);
  return OK;
}

int nvmlDeviceGetMemoryInfo(void *handle, wide *memory) {
  (void)handle;
  if (STANDIN_LOST) return LOST;
  memory[0] = total();
  memory[2] = used();
  memory[1] = memory[0] - memory[2];
  return OK;
}

int nvmlDeviceGetUtilizationRates(void *handle, unsigned *shares) {
  (void)handle;
  double wall = seconds(MONOTONIC), cpu = seconds(PROCESS_CPU);
  if (wall - last_wall > 0.05) { /* sooner, and two readers would halve each other's time */
    last_share = last_wall ? 100 * (cpu - last_cpu) / (wall - last_wall) : 0;
    last_wall = wall;
    last_cpu = cpu;
  }
  shares[0] = last_share > 100 ? 100 : (unsigned)last_share;
  shares[1] = (unsigned)(100 * used() / total());
  return OK;
}

int nvmlDeviceGetTotalEccErrors(void *handle, int type, int counter, wide *count) {
  (void)handle, (void)counter;
  if (STANDIN_ECC < 0) return UNSUPPORTED;
  *count = type == 1 ? STANDIN_ECC : 0; /* 1: could not be corrected */
  return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, void *place) {
  struct { unsigned pid; wide bytes; unsigned gpu, compute; } *found = place;
  unsigned room = *count;
  (void)handle;
  *count = 1;
  if (room < 1 || !found) return SMALL;
  found[0].pid = getpid();
  found[0].bytes = used();
  found[0].gpu = found[0].compute = ~0u;
  return OK;
}

int nvmlEventSetCreate(void **set) { *set = &listener; return OK; }
int nvmlEventSetFree(void *set) { (void)set; return OK; }

int nvmlDeviceRegisterEvents(void *handle, wide types, void *set) {
  (void)handle, (void)types, (void)set;
  return OK;
}

int nvmlEventSetWait_v2(void *set, void *place, unsigned milliseconds) {
  struct { void *device; wide type, data; unsigned gpu, compute; } *event = place;
  (void)set;
  if (STANDIN_XID && !told) {
    told = 1;
    poll(0, 0, 10);
    event->device = &device;
    event->type = 8; /* a critical XID */
    event->data = STANDIN_XID;
    event->gpu = event->compute = ~0u;
    return OK;
  }
  poll(0, 0, milliseconds);
  return TIMEOUT;
}
