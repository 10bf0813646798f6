/* A disk that refuses file locks, as some network disks do: gcc -DNOLOCK=ENOLCK -shared -fPIC */
#include <errno.h>

int flock(int descriptor, int operation) {
  errno = NOLOCK;
  return -1;
}
