// With h[i] = x[i + 1] - x[i], the second derivatives M at the points solve, for every point i between the ends,
//   h[i - 1]·M[i - 1] + 2·(h[i - 1] + h[i])·M[i] + h[i]·M[i + 1] = 6·((y[i + 1] - y[i])/h[i] - (y[i] - y[i - 1])/h[i -
//   1])
// and, at both ends, (M[1] - M[0])/h[0] = (M[2] - M[1])/h[1]. All are linear in y: a row of factors of y stands for
// each.
#include "vit/model/position/spline.h"

#include <algorithm>

#include "tensor/error.h"

namespace lookhere {
namespace {

using Row = std::vector<double>;  // factors of y

void add(Row& to, double factor, const Row& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * from[i];
}

// M of four or more points.
std::vector<Row> second_derivatives(const std::vector<double>& x) {
  const std::size_t n = x.size();
  std::vector<double> h(n - 1), below(n), diagonal(n), above(n);
  for (std::size_t i = 0; i + 1 < n; ++i) h[i] = x[i + 1] - x[i];
  std::vector<Row> m(n, Row(n));
  for (std::size_t i = 1; i + 1 < n; ++i) {
    below[i] = h[i - 1], diagonal[i] = 2 * (h[i - 1] + h[i]), above[i] = h[i];
    m[i][i - 1] = 6 / h[i - 1], m[i][i] = -6 / h[i - 1] - 6 / h[i], m[i][i + 1] = 6 / h[i];
  }
  // The conditions at the ends, put into the first and the last of these rows.
  const double first = h[0] / h[1], last = h[n - 2] / h[n - 3];
  diagonal[1] += h[0] * (1 + first), above[1] -= h[0] * first;
  diagonal[n - 2] += h[n - 2] * (1 + last), below[n - 2] -= h[n - 2] * last;
  for (std::size_t i = 2; i + 1 < n; ++i) {
    const double factor = below[i] / diagonal[i - 1];
    diagonal[i] -= factor * above[i - 1];
    add(m[i], -factor, m[i - 1]);
  }
  for (std::size_t i = n - 2; i >= 1; --i) {
    if (i + 2 < n) add(m[i], -above[i], m[i + 1]);
    for (double& value : m[i]) value /= diagonal[i];
  }
  add(m[0], 1 + first, m[1]), add(m[0], -first, m[2]);
  add(m[n - 1], 1 + last, m[n - 2]), add(m[n - 1], -last, m[n - 3]);
  return m;
}

}  // namespace

std::vector<double> spline_matrix(const std::vector<double>& from, const std::vector<double>& to) {
  const std::size_t n = from.size();
  check(n == 1 || n >= 3, "spline: wanted 1, 3 or more points, got ", n);
  for (std::size_t i = 1; i < n; ++i)
    check(from[i] > from[i - 1], "spline: points must rise, got ", from[i], " at ", i);
  const std::vector<Row> m = n > 3 ? second_derivatives(from) : std::vector<Row>();
  std::vector<double> matrix;
  matrix.reserve(to.size() * n);
  for (const double beyond : to) {
    const double x = std::clamp(beyond, from.front(), from.back());
    Row row(n);
    if (n == 1) {
      row[0] = 1;
    } else if (n == 3) {
      for (std::size_t i = 0; i < 3; ++i) {
        const double a = from[(i + 1) % 3], b = from[(i + 2) % 3];
        row[i] = (x - a) * (x - b) / ((from[i] - a) * (from[i] - b));
      }
    } else {
      const auto right = std::upper_bound(from.begin() + 1, from.end() - 1, x);
      const std::size_t i = right - from.begin() - 1;
      const double h = from[i + 1] - from[i], a = (from[i + 1] - x) / h, b = (x - from[i]) / h;
      row[i] = a, row[i + 1] = b;
      add(row, (a * a * a - a) * h * h / 6, m[i]), add(row, (b * b * b - b) * h * h / 6, m[i + 1]);
    }
    matrix.insert(matrix.end(), row.begin(), row.end());
  }
  return matrix;
}

}  // namespace lookhere
