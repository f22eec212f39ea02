#pragma once

#include <string>
#include <vector>

#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit {

/// TrainingInputMode: files that are there, files that come as they are read, or FIFOs.
enum class InputMode { kFile, kFastFile, kPipe };

/// One input channel of the job.
struct Channel {
  std::string name;  ///< as the job calls it: "train"
  std::string path;  ///< <input>/data/<name>; for Pipe mode the prefix of its FIFOs
  InputMode mode = InputMode::kFile;
  bool sharded = false;      ///< ShardedByS3Key: this host has only its part of the objects
  bool record_io = false;    ///< records are wrapped as RecordIO
  std::string content_type;  ///< empty when not given
};

/// The channels of inputdataconfig.json, in file order. Errors: it is no object, a key of the wrong
/// kind, a name that no directory can have. A mode that trainit does not know is taken for File,
/// with a sentence in `warnings` (may be null).
Result<std::vector<Channel>> channels_from_json(const Json& file, const std::string& input_data,
                                                std::vector<std::string>* warnings = nullptr);

}  // namespace trainit
