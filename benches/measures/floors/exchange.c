// The floor of a reading: the same queries, one after the other, in C. Prints the time of one round in ms.
//     exchange HOST PORT ROUNDS QUERY…
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words) {
    int rounds = atoi(words[3]), yes = 1, link = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &to.sin_addr);
    if (connect(link, (struct sockaddr *)&to, sizeof to)) return perror("connect"), 1;
    setsockopt(link, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int round = 0; round < rounds; round++)
        for (int query = 4; query < count; query++) {
            char reply[4096];
            ssize_t length = 0, got;
            dprintf(link, "%s\r\n", words[query]);
            do {
                if ((got = read(link, reply + length, sizeof reply - length)) <= 0) return 1;
                length += got;
            } while (reply[length - 1] != '\n');
        }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.6f\n", ((ended.tv_sec - began.tv_sec) * 1e3 + (ended.tv_nsec - began.tv_nsec) * 1e-6) / rounds);
}
