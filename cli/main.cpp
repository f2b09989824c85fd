#include "cli/cli.h"

int main(int argc, char** argv) { return forebay::cli::run(argc, argv); }
