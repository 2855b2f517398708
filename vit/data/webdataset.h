// Photographs in tar archives, as webdataset writes them: the files of a sample have one name up to the first dot of
// its last part, KEY.jpg (or jpeg or png) and KEY.cls with the number of the class or KEY.json with it as "label".
#pragma once
#include <string>

#include "vit/data/sources.h"

namespace lookhere {

// A source is FILE.tar; a pattern of such files, shards/train-{0000..0146}.tar or {train,val}.tar; or a folder with
// some of them. Those whose name has the word val, validation, valid, test or testing are for testing and the others
// for training. If there are only others, options.val_split of each class is held out (vit/data/photographs.h).
bool is_webdataset(const std::string& source, bool train);
// Is this, by its name, a file or a pattern, rather than a folder?
bool names_archives(const std::string& source);

// Archives are read once to find where each picture lies; pictures are then read there, in any order, class after class
// as the archives have them. Archives are not compressed, for that. A class is called as the line of its number in
// classnames.txt beside the archives or, without that file, by the number; then test images do not say how many classes
// there are. Throws Error, naming the archive and the member, for whatever is no such sample or damaged, and for
// training samples of one class.
Dataset read_webdataset(const std::string& source, bool train, const DatasetOptions& options);

}  // namespace lookhere
