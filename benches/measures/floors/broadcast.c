// The floor of live power: one thread in C that sends a message to every client, ten times a second. Connects to the
// receivers itself. Prints the processor time of a second in ms.
//     broadcast HOST PORT CLIENTS BYTES SECONDS
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double used(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
}

int main(int count, char **words) {
    if (count < 6) return 2;
    int clients = atoi(words[3]), bytes = atoi(words[4]), seconds = atoi(words[5]), yes = 1;
    int *links = calloc(clients, sizeof *links);
    char *message = malloc(bytes);
    memset(message, 'x', bytes);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &to.sin_addr);
    for (int client = 0; client < clients; client++) {
        links[client] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(links[client], (struct sockaddr *)&to, sizeof to)) return perror("connect"), 1;
        setsockopt(links[client], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    double before = used();
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (int turn = 0; turn < seconds * 10; turn++) {
        for (int client = 0; client < clients; client++)
            if (send(links[client], message, bytes, MSG_NOSIGNAL) != bytes) return perror("send"), 1;
        next.tv_nsec += 100000000;
        if (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, next.tv_sec++;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("%.3f\n", (used() - before) / seconds);
}
