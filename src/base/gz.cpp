// gzip (RFC 1952), by zlib.
#include <zlib.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace tenon {

namespace {

constexpr int kGzipWrapper = 15 + 16;      // largest window, gzip header and trailer: see zlib.h
constexpr size_t kStep = size_t{1} << 30;  // zlib counts in 32 bits

struct Inflater : z_stream {
  Inflater() : z_stream{} {
    TENON_CHECK(inflateInit2(this, kGzipWrapper) == Z_OK, resource,
                "gzip: no memory for a decompressor; free some");
  }
  ~Inflater() { inflateEnd(this); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

struct Deflater : z_stream {
  explicit Deflater(int level) : z_stream{} {
    TENON_CHECK(deflateInit2(this, level, Z_DEFLATED, kGzipWrapper, 8, Z_DEFAULT_STRATEGY) == Z_OK,
                resource, "gzip: no memory for a compressor; free some");
  }
  ~Deflater() { deflateEnd(this); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
};

Bytef* zlib_bytes(const void* bytes) {
  return const_cast<Bytef*>(static_cast<const Bytef*>(bytes));  // zlib reads them only
}

}  // namespace

std::string gunzip(std::span<const std::byte> bytes, uint64_t max_bytes, std::string_view where) {
  Inflater stream;
  std::string out;
  size_t at = 0;      // consumed
  size_t filled = 0;  // produced
  bool any_member = false;
  while (at < bytes.size()) {
    // Members may be padded with zeros at the end of the file, as tapes did.
    if (any_member && std::all_of(bytes.begin() + static_cast<ptrdiff_t>(at), bytes.end(),
                                  [](std::byte b) { return b == std::byte{0}; }))
      break;
    inflateReset(&stream);
    for (int status = Z_OK; status != Z_STREAM_END;) {
      // One byte past the limit is allowed for, to tell "at the limit" from "past it".
      if (filled == out.size()) {
        TENON_CHECK(filled <= max_bytes, data,
                    "{}: expands past {}; it is not what it should be, or made to fill the memory",
                    where, text::human_bytes(max_bytes));
        const uint64_t wish = std::max<uint64_t>({4096, uint64_t{bytes.size()} * 3, filled * 2});
        const uint64_t cap = max_bytes == kNoLimit ? kNoLimit : max_bytes + 1;
        out.resize(std::min({wish, cap, uint64_t{filled} + kStep}));
      }
      stream.next_in = zlib_bytes(bytes.data() + at);
      stream.avail_in = static_cast<uInt>(std::min(bytes.size() - at, kStep));
      stream.next_out = zlib_bytes(out.data() + filled);
      stream.avail_out = static_cast<uInt>(std::min(out.size() - filled, kStep));
      const uInt offered = stream.avail_in;
      const uInt room = stream.avail_out;
      status = inflate(&stream, Z_NO_FLUSH);
      at += offered - stream.avail_in;
      filled += room - stream.avail_out;
      TENON_CHECK(status != Z_MEM_ERROR, resource, "{}: no memory to decompress it", where);
      const bool stuck = status == Z_BUF_ERROR && stream.avail_out != 0;
      TENON_CHECK(!stuck && (status != Z_OK || at < bytes.size() || stream.avail_out == 0), data,
                  "{}: the gzip data are truncated after {} bytes; fetch the file again", where,
                  bytes.size());
      TENON_CHECK(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, data,
                  "{}: the gzip data are corrupt at byte {} ({}); fetch the file again", where, at,
                  stream.msg != nullptr ? stream.msg : "wrong preset dictionary");
    }
    any_member = true;
  }
  TENON_CHECK(any_member, data, "{}: an empty file is not gzip; fetch the file again", where);
  TENON_CHECK(filled <= max_bytes, data,
              "{}: expands past {}; it is not what it should be, or made to fill the memory", where,
              text::human_bytes(max_bytes));
  out.resize(filled);
  return out;
}

std::string read_gz(const std::string& path, uint64_t max_bytes) {
  const MappedFile file(path, MappedFile::Access::sequential);
  return gunzip(file.bytes(), max_bytes, path);
}

std::string gzip(std::string_view bytes, int level) {
  Deflater stream(level);
  std::string out;
  size_t filled = 0;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    if (filled == out.size()) out.resize(filled + std::max<size_t>(4096, bytes.size() / 3));
    const size_t offered = std::min(bytes.size(), kStep);
    const size_t room = std::min(out.size() - filled, kStep);
    stream.next_in = zlib_bytes(bytes.data());
    stream.avail_in = static_cast<uInt>(offered);
    stream.next_out = zlib_bytes(out.data() + filled);
    stream.avail_out = static_cast<uInt>(room);
    status = deflate(&stream, offered == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    bytes.remove_prefix(offered - stream.avail_in);
    filled += room - stream.avail_out;
  }
  out.resize(filled);
  return out;
}

}  // namespace tenon
