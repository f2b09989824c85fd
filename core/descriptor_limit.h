#pragma once

namespace forebay {

// Every open file, every directory in use and every connection costs descriptors: allows this process as many as it may
// have.
void raise_descriptor_limit();

}  // namespace forebay
