// The loader: the same batches from any number of threads, from any start, in memory taken once.
#include "vit/data/loader.h"

#include <algorithm>
#include <set>

#include "tensor/pool.h"
#include "tests/allocations.h"
#include "tests/testing.h"

namespace lookhere {
namespace {

// Images (1, 4, 5); the label is the image's number.
Dataset numbered(long n) {
  Dataset d;
  d.name = "numbered";
  d.classes = n;
  d.mean = {0.5F};
  d.std = {0.25F};
  Rng rng(9, Purpose::test);
  std::vector<std::uint8_t> pixels;
  for (long i = 0; i < n; ++i) {
    d.labels.push_back(static_cast<std::int32_t>(i));
    d.class_names.push_back(std::to_string(i));
    for (int p = 0; p < 20; ++p) pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
  }
  d.set_images(std::move(pixels), 1, 4, 5);
  return d;
}

LoaderOptions busy_options() { return {.batch_size = 7, .shuffle = true, .crop_padding = 1, .hflip = 0.5, .seed = 42}; }

struct Copy {
  long index;
  std::vector<float> images;
  std::vector<i64> labels;
  bool operator==(const Copy&) const = default;
};
std::vector<Copy> rest_of_epoch(Loader& loader) {
  std::vector<Copy> copies;
  for (Batch batch; loader.next(batch);)
    copies.push_back({batch.index, to_vector<float>(batch.images), to_vector<i64>(batch.labels)});
  return copies;
}
std::vector<Copy> epoch(Loader& loader, long number, long first_image = 0) {
  loader.start(number, first_image);
  return rest_of_epoch(loader);
}
std::vector<i64> labels_of(const std::vector<Copy>& copies) {
  std::vector<i64> labels;
  for (const Copy& copy : copies) labels.insert(labels.end(), copy.labels.begin(), copy.labels.end());
  return labels;
}

TEST(Loader, PlainOrderAndShapes) {
  const Dataset d = numbered(10);
  Loader loader(d, {.batch_size = 4});
  EXPECT_EQ(loader.batches(), 3);
  loader.start(0);
  std::vector<float> image(20);
  ImageLoader images(d, 4, 5);
  for (long i = 0; i < 3; ++i) {
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    const long rows = i < 2 ? 4 : 2;
    EXPECT_EQ(batch.index, i);
    EXPECT_EQ(batch.images.shape(), (Shape{rows, 1, 4, 5}));
    EXPECT_EQ(batch.labels.shape(), Shape{rows});
    for (long row = 0; row < rows; ++row) {
      EXPECT_EQ(batch.labels.host<i64>()[row], 4 * i + row);
      images.load(4 * i + row, image.data());
      EXPECT_TRUE(std::equal(image.begin(), image.end(), batch.images.host<float>() + row * 20));
    }
  }
  Batch batch;
  EXPECT_FALSE(loader.next(batch));
  EXPECT_FALSE(loader.next(batch));  // and stays at the end
}

TEST(Loader, EachImageOncePerEpochInANewOrder) {
  const Dataset d = numbered(101);
  Loader loader(d, busy_options());
  std::set<std::vector<i64>> orders;
  for (long number = 0; number < 4; ++number) {
    std::vector<i64> labels = labels_of(epoch(loader, number));
    orders.insert(labels);
    std::sort(labels.begin(), labels.end());
    ASSERT_EQ(labels.size(), 101U);
    for (long i = 0; i < 101; ++i) EXPECT_EQ(labels[i], i);
  }
  EXPECT_EQ(orders.size(), 4U);
}

// Sample i is image i / 3 of the order, in view 3 * epoch + i % 3, for any workers and from any start.
TEST(Loader, RepeatsEachImageWithOtherAugmentations) {
  const Dataset d = numbered(101);
  LoaderOptions options = busy_options();
  options.repeats = 3;
  Loader loader(d, options);
  std::vector<std::uint32_t> order(101);
  std::set<i64> seen;
  std::set<std::vector<float>> views;
  for (long number = 0; number < 2; ++number) {
    shuffle_order(order, options.seed, number);
    const std::vector<Copy> batches = epoch(loader, number);
    const std::vector<i64> labels = labels_of(batches);
    ASSERT_EQ(labels.size(), 101U);
    std::vector<float> want(20);
    ImageLoader images(d, 4, 5);
    for (long i = 0; i < 101; ++i) {
      EXPECT_EQ(labels[i], order[i / 3]);
      images.load(labels[i], want.data(),
                  draw_view({.crop_padding = 1, .hflip = 0.5}, options.seed, 3 * number + i % 3, labels[i]));
      const float* got = batches[i / 7].images.data() + i % 7 * 20;
      EXPECT_TRUE(std::equal(want.begin(), want.end(), got)) << i;
      views.emplace(got, got + 20);
    }
    seen.insert(labels.begin(), labels.end());
    options.workers = 3;
    Loader other(d, options);
    EXPECT_EQ(epoch(other, number), batches);
    EXPECT_EQ(labels_of(epoch(other, number, 35)), std::vector<i64>(labels.begin() + 35, labels.end()));
  }
  EXPECT_GT(seen.size(), 40U);  // another 34 images each epoch
  EXPECT_GT(views.size(), 150U);
}

TEST(Loader, ThreadsAndPrefetchChangeNothing) {
  const Dataset d = numbered(101);
  for (long size : {0L, 9L}) {
    LoaderOptions options = busy_options();
    options.image_height = options.image_width = size;
    Loader reference(d, options);
    const std::vector<Copy> want = epoch(reference, 3);
    for (int workers : {1, 2, 4})
      for (int prefetch : {0, 1, 5, 40}) {
        options.workers = workers;
        options.prefetch = prefetch;
        Loader loader(d, options);
        EXPECT_EQ(epoch(loader, 3), want) << workers << " workers, prefetch " << prefetch;
      }
  }
}

TEST(Loader, StartsInTheMiddle) {
  const Dataset d = numbered(101);
  LoaderOptions options = busy_options();
  options.workers = 2;
  Loader loader(d, options);
  const std::vector<Copy> whole = epoch(loader, 1);
  for (long first = 0; first <= loader.batches(); ++first) {
    std::vector<Copy> rest(whole.begin() + first, whole.end());
    for (Copy& copy : rest) copy.index -= first;
    EXPECT_EQ(epoch(loader, 1, std::min(7 * first, d.size())), rest) << first;
  }
  // From the middle of a batch, as after a change of its size: the same images in the same order.
  const std::vector<i64> labels = labels_of(whole);
  EXPECT_EQ(labels_of(epoch(loader, 1, 3)), std::vector<i64>(labels.begin() + 3, labels.end()));
}

TEST(Loader, CanBeRestartedWhileItWorks) {
  const Dataset d = numbered(101);
  LoaderOptions options = busy_options();
  options.workers = 3;
  Loader loader(d, options);
  const std::vector<Copy> want = epoch(loader, 5);
  for (int taken = 0; taken < 10; ++taken) {
    loader.start(taken);
    Batch batch;
    for (int i = 0; i < taken; ++i) loader.next(batch);
    EXPECT_EQ(epoch(loader, 5), want);
    loader.start(taken);  // and destroyed while it works, at the end
  }
}

TEST(Loader, BatchStaysValidUntilTheNextCall) {
  const Dataset d = numbered(101);
  LoaderOptions options = busy_options();
  options.workers = 4;
  Loader loader(d, options);
  const std::vector<Copy> want = epoch(loader, 0);
  loader.start(0);
  Batch batch;
  for (const Copy& copy : want) {
    ASSERT_TRUE(loader.next(batch));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // time for a worker to spoil it
    EXPECT_EQ(to_vector<float>(batch.images), copy.images);
  }
}

TEST(Loader, AllocatesNothingAfterConstruction) {
  const Dataset d = numbered(101);
  LoaderOptions options = busy_options();
  options.workers = 2;
  options.image_height = options.image_width = 8;
  Loader loader(d, options);
  const PoolStats before = Pool::of(Device::cpu).stats();
  for (long number = 0; number < 3; ++number) {
    loader.start(number);
    for (Batch batch; loader.next(batch);) EXPECT_EQ(Pool::of(Device::cpu).stats().in_use, before.in_use);
  }
  EXPECT_EQ(Pool::of(Device::cpu).stats().allocations, before.allocations);
  std::vector<float> image(64);
  ImageLoader images(d, 8, 8);
  EXPECT_EQ(allocations_during([&] {
              for (long i = 0; i < d.size(); ++i) images.load(i, image.data(), {.dy = 1, .dx = -1, .mirrored = true});
            }),
            0);
}

// Image i has 4 + i rows and 20 - i columns, made when it is read.
class Unequal : public ImageSource {
 public:
  long size() const override { return 17; }
  Image read(long i, std::vector<std::uint8_t>& buffer) const override {
    const long height = 4 + i, width = 20 - i;
    Rng rng(1, Purpose::test, static_cast<std::uint32_t>(i));
    buffer.resize(2 * height * width);
    for (std::uint8_t& pixel : buffer) pixel = static_cast<std::uint8_t>(rng.below(256));
    return {buffer.data(), 2, height, width};
  }
  std::uint64_t hash() const override { return 1; }
};

Dataset unequal() {
  Dataset d;
  d.name = "unequal", d.channels = 2, d.classes = 1, d.class_names = {"it"};
  d.mean = {0.5F, 0.4F}, d.std = {0.25F, 0.3F};
  d.images = std::make_shared<Unequal>();
  d.labels.resize(d.images->size());
  return d;
}

// As the description of the options says: cut, mirrored and normalised at its own size, then resized.
std::vector<float> by_hand(const Dataset& d, long index, const View& view) {
  std::vector<std::uint8_t> buffer;
  const Image image = d.read(index, buffer);
  std::vector<float> whole(image.numel()), out(2 * 8 * 12);
  normalise(image, d.mean, d.std, whole.data(), view);
  const Resize resize(image.height, image.width, 8, 12);
  std::vector<float> scratch(resize.scratch_size());
  resize(out.data(), whole.data(), 2, scratch.data());
  return out;
}

TEST(Loader, ImagesMayDifferInSize) {
  const Dataset d = unequal();
  LoaderOptions options = busy_options();
  options.batch_size = 5, options.image_height = 8, options.image_width = 12;
  std::vector<std::uint32_t> order(d.size());
  for (const int workers : {1, 4}) {
    options.workers = workers;
    Loader loader(d, options);
    for (long number = 0; number < 3; ++number) {
      std::vector<float> got, want;
      for (const Copy& copy : epoch(loader, number)) got.insert(got.end(), copy.images.begin(), copy.images.end());
      shuffle_order(order, options.seed, number);
      for (const long index : order) {
        const View view = draw_view({.crop_padding = 1, .hflip = 0.5}, options.seed, number, index);
        const std::vector<float> image = by_hand(d, index, view);
        want.insert(want.end(), image.begin(), image.end());
      }
      EXPECT_EQ(got, want) << workers << " workers, epoch " << number;
    }
  }
  EXPECT_ERROR(Loader(d, {}), "loader: the images of unequal differ in size: wanted a height and a width");
  Dataset grey = d;
  grey.channels = 1, grey.mean = {0}, grey.std = {1};
  std::vector<float> image(96);
  EXPECT_ERROR(ImageLoader(grey, 8, 12).load(3, image.data()), "unequal: image 3 is [2, 7, 17], wanted 1 channels");
}

TEST(Loader, DropsTheLastBatchIfAsked) {
  const Dataset d = numbered(10);
  Loader loader(d, {.batch_size = 4, .drop_last = true});
  EXPECT_EQ(loader.batches(), 2);
  EXPECT_EQ(labels_of(epoch(loader, 0)), (std::vector<i64>{0, 1, 2, 3, 4, 5, 6, 7}));
  Loader whole(d, {.batch_size = 64});
  EXPECT_EQ(labels_of(epoch(whole, 0)).size(), 10U);
}

TEST(Loader, Resizes) {
  const Dataset d = numbered(3);
  Loader loader(d, {.batch_size = 2, .image_height = 6});  // the width stays
  loader.start(0);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_EQ(batch.images.shape(), (Shape{2, 1, 6, 5}));
  const Resize resize(4, 5, 6, 5);
  std::vector<float> image(20), want(30), scratch(resize.scratch_size());
  ImageLoader(d, 4, 5).load(1, image.data());
  resize(want.data(), image.data(), 1, scratch.data());
  EXPECT_TRUE(std::equal(want.begin(), want.end(), batch.images.host<float>() + 30));
}

// From image 12 on none can be read.
class Broken : public ImageSource {
 public:
  explicit Broken(std::shared_ptr<const ImageSource> images) : images_(std::move(images)) {}
  long size() const override { return images_->size(); }
  Image read(long i, std::vector<std::uint8_t>& buffer) const override {
    check(i < 12, "image ", i, " is broken");
    return images_->read(i, buffer);
  }
  std::uint64_t hash() const override { return images_->hash(); }

 private:
  std::shared_ptr<const ImageSource> images_;
};

TEST(Loader, PassesOnWhatWorkersThrow) {
  for (int workers : {1, 3}) {
    Dataset d = numbered(20);
    d.images = std::make_shared<Broken>(d.images);
    Loader loader(d, {.batch_size = 5, .workers = workers});
    loader.start(0);
    Batch batch;
    EXPECT_TRUE(loader.next(batch));
    EXPECT_TRUE(loader.next(batch));
    EXPECT_ERROR(loader.next(batch), "image 12 is broken");
    EXPECT_ERROR(loader.next(batch), "image 15 is broken");
    EXPECT_FALSE(loader.next(batch));
    loader.start(0, 5);
    EXPECT_TRUE(loader.next(batch));
  }
}

TEST(Loader, RefusesWrongOptions) {
  Dataset d = numbered(10);
  const struct {
    LoaderOptions options;
    const char* message;
  } cases[] = {
      {{.batch_size = 0}, "batch_size must lie in [1, 16777216], got 0"},
      {{.batch_size = 11, .drop_last = true}, "--batch-size: wanted at most the 10 images of numbered, got 11"},
      {{.crop_padding = -1}, "crop_padding must lie in"},
      {{.image_height = -8}, "image height and width must lie in [0, 65536], got -8"},
      {{.workers = 0}, "workers must lie in [1, 256], got 0"},
      {{.repeats = 0}, "repeats must lie in [1, 64], got 0"},
      {{.prefetch = -1}, "prefetch must lie in [0, 1024], got -1"},
  };
  for (const auto& [options, message] : cases) EXPECT_ERROR(Loader(d, options), message);
  Loader loader(d, {});
  Batch batch;
  EXPECT_ERROR(loader.next(batch), "next before start");
  EXPECT_ERROR(loader.start(-1), "no epoch -1");
  EXPECT_ERROR(loader.start(0, 11), "cannot start at image 11 of 10");
  d.mirror_keeps_label = false;
  EXPECT_ERROR(Loader(d, {.hflip = 0.5}), "hflip would falsify the labels of numbered");
  d.labels[3] = 10;
  EXPECT_ERROR(Loader(d, {}), "label 10 of image 3 is not below 10");
  d.labels.pop_back();
  EXPECT_ERROR(Loader(d, {}), "wanted one image per label, got 10 images and 9 labels");
}

}  // namespace
}  // namespace lookhere
