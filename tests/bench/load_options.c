/* See load_options.h. */
#include "tests/bench/load_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(void)
{
    fputs("usage: load -e ENDPOINT -k KEYFILE [-p socketmap|tcp_table] [-m MAP]\n"
          "            [-c CONNECTIONS] [-d DEPTH] [-t SECONDS | -n REQUESTS]\n"
          "            [-w WARMUP_SECONDS] [-r SEED] [--expect OUTCOME] [--value VALUE]\n"
          "            [--spin]\n",
          stderr);
    exit(64);
}

void load_options_parse(int argc, char **argv, struct load_options *options)
{
    static const struct option names[] = {{"expect", required_argument, NULL, 'x'},
                                          {"value", required_argument, NULL, 'v'},
                                          {"spin", no_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    *options = (struct load_options){
        .map = "bench", .connections = 1, .depth = 1, .seconds = 2, .seed = 1};
    bool good = true;
    int letter;
    while ((letter = getopt_long(argc, argv, "e:k:p:m:c:d:t:n:w:r:", names, NULL)) != -1) {
        switch (letter) {
        case 'e':
            options->endpoint = optarg;
            break;
        case 'k':
            options->key_file = optarg;
            break;
        case 'p':
            good = good && wire_from_name(optarg, &options->wire);
            break;
        case 'm':
            options->map = optarg;
            break;
        case 'c':
            options->connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'd':
            options->depth = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            options->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            options->requests = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            options->warmup_seconds = strtod(optarg, NULL);
            break;
        case 'r':
            options->seed = strtoull(optarg, NULL, 10);
            break;
        case 'x':
            options->expects_outcome = outcome_from_name(optarg, &options->expected_outcome);
            good = good && options->expects_outcome;
            break;
        case 'v':
            options->expected_value = optarg;
            options->expected_value_len = strlen(optarg);
            break;
        case 's':
            options->spin = true;
            break;
        default:
            good = false;
        }
    }
    if (!good || optind != argc || options->endpoint == NULL || options->key_file == NULL ||
        options->connections == 0 || options->depth == 0)
        usage();
}
