// A trace as a page to look at: what each warp did between barriers, which banks its lanes wanted, and what they waited
// for.
#pragma once
#include <string>

#include "kernels/cuda/trace_page/read.h"

namespace kernels::trace_page {

// The SVG. However long the trace, the page shows no more than can be looked at, and says what it leaves out.
std::string page_of(const Trace& trace);

}  // namespace kernels::trace_page
