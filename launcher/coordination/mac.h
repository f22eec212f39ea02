#pragma once

#include <string>
#include <string_view>
#include <vector>

/// The cryptographic functions that the handshake needs; the only place that knows the library.
namespace trainit::coordination {

/// Fields, each behind its length (4 bytes, big-endian), so that no two lists of them are alike.
std::string joined_fields(const std::vector<std::string_view>& fields);

/// SHA-256, 32 bytes.
std::string sha256(std::string_view bytes);
/// HMAC-SHA-256, 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);

/// In a time that tells nothing of where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace trainit::coordination
