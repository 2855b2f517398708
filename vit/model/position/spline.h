// Interpolation by cubic splines in one dimension, as the matrix that it is.
#pragma once
#include <vector>

namespace lookhere {

// Values at the rising points `from` → those at `to`, (to, from) in rows: the cubic spline through them whose third
// derivative is continuous at the second and the last but one ("not-a-knot", FITPACK's with s = 0); through three
// points a parabola, through one a constant. Beyond the ends it is as at the end. `from` has 1, 3 or more points.
std::vector<double> spline_matrix(const std::vector<double>& from, const std::vector<double>& to);

}  // namespace lookhere
