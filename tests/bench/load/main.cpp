// forebay_load: one of several processes that work on a file system at the same time; load.py starts and tells them.
//
//   forebay_load data --dir DIR [OPTION...]     large transfers: data_work.h
//   forebay_load names --dir DIR [OPTION...]    many small operations: name_work.h
//
// Each line on stdin is a phase, with a shift or without: "write", "read 1". Each is answered with a line of JSON:
// {"phase":"write","rank":0,"begin":12.5,"end":13.1,"operations":64,"bytes":67108864}, in seconds of CLOCK_MONOTONIC,
// which all processes of a machine have in common. The end of stdin is the end. Failures: a line on stderr, exit
// status 1.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "data_work.h"
#include "name_work.h"

namespace forebay::load {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Options {
  Place place;
  DataOptions data;
  NameOptions names;
};

void add_place(CLI::App& command, Place& place) {
  command.add_option("--dir", place.directory, "where to work")->required();
  command.add_option("--rank", place.rank, "which of the processes this is, from 0");
  command.add_option("--ranks", place.ranks, "how many there are")->check(CLI::PositiveNumber);
}

CLI::App* add_data(CLI::App& app, Options& options) {
  CLI::App* const command = app.add_subcommand("data", "large transfers");
  add_place(*command, options.place);
  const std::map<std::string, FileLayout> layouts = {
      {"own", FileLayout::kOwn}, {"segmented", FileLayout::kSegmented}, {"strided", FileLayout::kStrided}};
  command->add_option("--layout", options.data.layout, "own, segmented or strided")
      ->transform(CLI::CheckedTransformer(layouts));
  command->add_option("--transfer", options.data.transfer_bytes, "bytes of one call");
  command->add_option("--block", options.data.block_bytes, "bytes of each process");
  command->add_option("--seed", options.data.seed, "of the content");
  return command;
}

void add_names(CLI::App& app, Options& options) {
  CLI::App* const command = app.add_subcommand("names", "many small operations");
  add_place(*command, options.place);
  command->add_flag("--shared", options.names.shared, "one directory for all");
  command->add_flag("--directories", options.names.directories, "directories instead of files");
  command->add_option("--items", options.names.items, "of each process");
}

// Line by line until the end of stdin.
void serve(Work& work, uint64_t rank) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string phase;
    uint64_t shift = 0;
    words >> phase >> shift;
    if (!work.knows(phase)) throw std::runtime_error(fmt::format("\"{}\" is no phase of this", line));
    const double begin = now();
    const Done done = work.run(phase, shift);
    const double end = now();
    std::cout << fmt::format(R"({{"phase":"{}","rank":{},"begin":{:.6f},"end":{:.6f},"operations":{},"bytes":{}}})",
                             phase, rank, begin, end, done.operations, done.bytes)
              << std::endl;
  }
}

int run(int argc, char** argv) {
  CLI::App app("One of several processes that work on a file system at the same time.", "forebay_load");
  Options options;
  const CLI::App* const data = add_data(app, options);
  add_names(app, options);
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);
  std::unique_ptr<Work> work;
  if (data->parsed()) {
    work = std::make_unique<DataWork>(options.place, options.data);
  } else {
    work = std::make_unique<NameWork>(options.place, options.names);
  }
  serve(*work, options.place.rank);
  return 0;
}

}  // namespace

void fail_with_errno(const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace forebay::load

int main(int argc, char** argv) {
  try {
    return forebay::load::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "load: " << error.what() << std::endl;
    return 1;
  }
}
