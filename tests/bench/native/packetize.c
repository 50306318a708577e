/*
 * The packet path of a GameStream host in C, as the yardstick for the one in TypeScript: shards with
 * headers, Cauchy parity by ISA-L, AES-128-GCM by OpenSSL, paced sending with UDP segmentation.
 *
 * packetize dump ACCESS_UNIT_FILE PACKET_SIZE PARITY_PCT MIN_PARITY SEAL
 *     writes the datagrams of one frame (index 1, sequence 0, timestamp 1) to standard output
 * packetize run IP PORT BYTES FPS SECONDS PACKET_SIZE PARITY_PCT MIN_PARITY SEAL
 *     sends frames of BYTES bytes on schedule and prints one line of JSON
 *
 * Build: cc -O2 packetize.c -o packetize -lisal -lcrypto
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <isa-l/erasure_code.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define SLOTS_MAX 1023
#define BLOCKS_MAX 4
#define STEPS_MAX 12
#define STEP_DATAGRAMS_MIN 16
#define SEGMENTED_BYTES_MAX 65000

struct format {
  int packet_size, parity_pct, min_parity, seal;
  int payload, plain, datagram;
};

struct frame {
  const uint8_t *unit;
  int unit_bytes;
  uint32_t index, timestamp;
  uint8_t type;
};

static struct format fmt;
static uint8_t *slots;
static uint32_t sequence;
static uint64_t seal_counter = 1;
static EVP_CIPHER_CTX *cipher;
static uint8_t key[16];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(int64_t ns) {
  struct timespec t = {ns / 1000000000LL, ns % 1000000000LL};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
  }
}

static void put32le(uint8_t *p, uint32_t v) {
  memcpy(p, &v, 4);
}

static int parity_of(int data, int field) {
  return (data * field + 99) / 100;
}

static int field_of(int data, int pct) {
  if (pct == 0 || parity_of(data, pct) >= fmt.min_parity) return pct;
  int field = 100 * fmt.min_parity / data;
  if (parity_of(data, field) < fmt.min_parity) field++;
  return field > 255 ? 255 : field;
}

/* Tables of one code shape; frames of equal size need them once. */
static int table_data = -1, table_parity = -1;
static uint8_t tables[32 * 255 * 255];

static void prepare_tables(int data, int parity) {
  if (data == table_data && parity == table_parity) return;
  static uint8_t matrix[255 * 255];
  for (int j = 0; j < parity; j++)
    for (int i = 0; i < data; i++) matrix[j * data + i] = gf_inv((parity + i) ^ j);
  ec_init_tables(data, parity, matrix, tables);
  table_data = data;
  table_parity = parity;
}

static uint8_t *plain_at(int slot) {
  return slots + (size_t)slot * fmt.datagram + (fmt.seal ? 32 : 0);
}

/* Makes one block in the slots; returns its datagrams. */
static int make_block(const struct frame *f, int block, int blocks, int first, int data, int pct) {
  int field = field_of(data, pct), parity = parity_of(data, field);
  uint8_t block_byte = block << 4 | (blocks - 1) << 6;
  for (int i = 0; i < data; i++) {
    uint8_t *p = plain_at(i), *payload = p + 32;
    put32le(p + 16, ((sequence + i) & 0xffffff) << 8);
    put32le(p + 20, f->index);
    p[24] = 1 | (i == 0 ? 4 : 0) | (i == data - 1 ? 2 : 0);
    p[25] = 0;
    p[26] = 0x10;
    p[27] = block_byte;
    int from = (first + i) * fmt.payload - 8, room = fmt.payload;
    if (from < 0) {
      int last = (f->unit_bytes + 8) % fmt.payload;
      memset(payload, 0, 8);
      payload[0] = 1;
      payload[3] = f->type;
      payload[4] = (last ? last : fmt.payload) & 255;
      payload[5] = (last ? last : fmt.payload) >> 8;
      payload += 8;
      room -= 8;
      from = 0;
    }
    int left = f->unit_bytes - from, copied = left < room ? (left > 0 ? left : 0) : room;
    memcpy(payload, f->unit + from, copied);
    memset(payload + copied, 0, room - copied);
  }
  if (parity > 0) {
    uint8_t *sources[255], *targets[255];
    for (int i = 0; i < data; i++) sources[i] = plain_at(i) + 16;
    for (int j = 0; j < parity; j++) targets[j] = plain_at(data + j) + 16;
    prepare_tables(data, parity);
    ec_encode_data(fmt.plain - 16, data, parity, tables, sources, targets);
  }
  int total = data + parity;
  for (int i = 0; i < total; i++) {
    uint8_t *p = plain_at(i);
    uint32_t s = sequence + i;
    memset(p, 0, 16);
    p[0] = 0x90;
    p[2] = s >> 8;
    p[3] = s;
    put32le(p + 4, htonl(f->timestamp));
    put32le(p + 20, f->index);
    p[27] = block_byte;
    put32le(p + 28, (uint32_t)i << 12 | (uint32_t)data << 22 | field << 4);
  }
  sequence = (sequence + total) & 0xffffff;
  return total;
}

static void seal(int first, int count, uint32_t frame_index) {
  for (int i = first; fmt.seal && i < first + count; i++) {
    uint8_t *slot = slots + (size_t)i * fmt.datagram;
    int n;
    memset(slot, 0, 12);
    memcpy(slot, &seal_counter, 8);
    slot[11] = 'V';
    seal_counter++;
    put32le(slot + 12, frame_index);
    EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, slot);
    EVP_EncryptUpdate(cipher, slot + 32, &n, slot + 32, fmt.plain);
    EVP_EncryptFinal_ex(cipher, slot + 32 + n, &n);
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, 16, slot + 16);
  }
}

static void setup(char **argv) {
  fmt.packet_size = atoi(argv[0]);
  fmt.parity_pct = atoi(argv[1]);
  fmt.min_parity = atoi(argv[2]);
  fmt.seal = atoi(argv[3]);
  fmt.payload = fmt.packet_size - 16;
  fmt.plain = fmt.packet_size + 16;
  fmt.datagram = fmt.plain + (fmt.seal ? 32 : 0);
  if (posix_memalign((void **)&slots, 64, (size_t)SLOTS_MAX * fmt.datagram)) die("slots");
  memset(slots, 0, (size_t)SLOTS_MAX * fmt.datagram);
  for (int i = 0; i < 16; i++) key[i] = i;
  cipher = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(cipher, EVP_aes_128_gcm(), NULL, key, NULL);
}

struct layout {
  int blocks, data, last, pct, datagrams;
};

static struct layout lay_out(int unit_bytes) {
  int shards = (unit_bytes + 8 + fmt.payload - 1) / fmt.payload;
  int most = 255;
  while (most > 1 && most + parity_of(most, field_of(most, fmt.parity_pct)) > 255) most--;
  struct layout l = {(shards + most - 1) / most, 0, 0, fmt.parity_pct, 0};
  if (l.blocks > BLOCKS_MAX) l.blocks = BLOCKS_MAX, l.pct = 0;
  l.data = (shards + l.blocks - 1) / l.blocks;
  l.blocks = (shards + l.data - 1) / l.data;
  l.last = shards - l.data * (l.blocks - 1);
  l.datagrams = shards + (l.blocks - 1) * parity_of(l.data, field_of(l.data, l.pct)) +
                parity_of(l.last, field_of(l.last, l.pct));
  return l;
}

static int dump(const char *path) {
  static uint8_t unit[8 << 20];
  FILE *file = fopen(path, "rb");
  if (!file) die(path);
  struct frame f = {unit, fread(unit, 1, sizeof unit, file), 1, 1, 1};
  struct layout l = lay_out(f.unit_bytes);
  for (int b = 0; b < l.blocks; b++) {
    int data = b == l.blocks - 1 ? l.last : l.data;
    int count = make_block(&f, b, l.blocks, b * l.data, data, l.pct);
    seal(0, count, f.index);
    fwrite(slots, fmt.datagram, count, stdout);
  }
  return 0;
}

static int fd;
static struct sockaddr_in to;
static long dropped;

static void send_run(int first, int count) {
  int most = SEGMENTED_BYTES_MAX / fmt.datagram;
  if (most > 64) most = 64;
  while (count > 0) {
    int taken = count < most ? count : most;
    char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec iov = {slots + (size_t)first * fmt.datagram, (size_t)taken * fmt.datagram};
    struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1,
                       .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    uint16_t size = fmt.datagram;
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(c), &size, sizeof size);
    if (sendmsg(fd, &m, 0) < 0) dropped += taken;
    first += taken;
    count -= taken;
  }
}

static int compare(const void *a, const void *b) {
  int64_t d = *(const int64_t *)a - *(const int64_t *)b;
  return d < 0 ? -1 : d > 0;
}

static int run(char **argv) {
  int bytes = atoi(argv[2]), fps = atoi(argv[3]), seconds = atoi(argv[4]);
  int frames = fps * seconds, buffer = 4 << 20;
  uint8_t *unit = malloc(bytes);
  int64_t *late = calloc(frames, sizeof *late), *work = calloc(frames, sizeof *work);
  for (int i = 0; i < bytes; i++) unit[i] = i * 131 + (i >> 8);
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  to.sin_family = AF_INET;
  to.sin_port = htons(atoi(argv[1]));
  if (inet_pton(AF_INET, argv[0], &to.sin_addr) != 1) die(argv[0]);
  prctl(PR_SET_TIMERSLACK, 1);
  setpriority(PRIO_PROCESS, 0, -10);
  struct layout l = lay_out(bytes);
  int steps = l.datagrams / STEP_DATAGRAMS_MIN;
  steps = steps < 1 ? 1 : steps > STEPS_MAX ? STEPS_MAX : steps;
  int per_step = (l.datagrams + steps - 1) / steps;
  steps = (l.datagrams + per_step - 1) / per_step;
  double interval = 1e9 / fps, spacing = interval * 0.75 / steps;
  int64_t begin = now_ns() + 50000000;
  struct rusage before, after;
  sleep_until(begin);
  getrusage(RUSAGE_SELF, &before);
  for (int n = 0; n < frames; n++) {
    int64_t due = begin + (int64_t)(n * interval);
    sleep_until(due);
    int64_t arrival = now_ns();
    late[n] = arrival - due;
    struct frame f = {unit, bytes, n + 1, 1 + n * (90000 / fps), 1};
    int step = 0, left = 0;
    for (int b = 0; b < l.blocks; b++) {
      int data = b == l.blocks - 1 ? l.last : l.data;
      int64_t t = now_ns();
      int count = make_block(&f, b, l.blocks, b * l.data, data, l.pct);
      work[n] += now_ns() - t;
      for (int first = 0; first < count;) {
        int starts = left == 0;
        if (starts) left = per_step;
        int taken = count - first < left ? count - first : left;
        t = now_ns();
        seal(first, taken, f.index);
        work[n] += now_ns() - t;
        if (starts) sleep_until(arrival + (int64_t)(step++ * spacing));
        send_run(first, taken);
        first += taken;
        left -= taken;
      }
    }
  }
  getrusage(RUSAGE_SELF, &after);
  double user = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1e6 +
                (after.ru_utime.tv_usec - before.ru_utime.tv_usec);
  double sys = (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1e6 +
               (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
  qsort(late, frames, sizeof *late, compare);
  qsort(work, frames, sizeof *work, compare);
  printf("{\"frames\":%d,\"datagrams\":%ld,\"dropped\":%ld,\"cpuUs\":%.0f,\"wallUs\":%.0f,"
         "\"lateP50Us\":%.1f,\"lateP99Us\":%.1f,\"packetizeP50Us\":%.1f,\"packetizeP99Us\":%.1f}\n",
         frames, (long)frames * l.datagrams, dropped, user + sys, (now_ns() - begin) / 1e3,
         late[frames / 2] / 1e3, late[frames * 99 / 100] / 1e3, work[frames / 2] / 1e3,
         work[frames * 99 / 100] / 1e3);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 7 && !strcmp(argv[1], "dump")) {
    setup(argv + 3);
    return dump(argv[2]);
  }
  if (argc == 11 && !strcmp(argv[1], "run")) {
    setup(argv + 7);
    return run(argv + 2);
  }
  fputs("usage: packetize dump FILE SIZE PCT MIN SEAL\n"
        "       packetize run IP PORT BYTES FPS SECONDS SIZE PCT MIN SEAL\n", stderr);
  return 2;
}
