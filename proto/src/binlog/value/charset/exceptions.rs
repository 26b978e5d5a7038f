//! Where the server's conversions differ from those of `encoding_rs`: found by decoding every
//! character with both, and held to it by the golden test.

/// How the server reads the characters of a range that `encoding_rs` reads otherwise.
pub(super) enum As {
    /// It has none of them.
    Nothing,
    /// The first as this character, each next one as the next code point.
    From(char),
    /// As these characters, in order.
    Text(&'static str),
}
use As::{From, Nothing, Text};

/// First and last code of a range (a character's bytes as one big-endian number), and its reading.
/// Lists of them are in ascending order.
pub(super) type Exception = (u32, u32, As);

pub(super) const BIG5: &[Exception] = &[
    (0x8740, 0xA0FE, Nothing),
    (0xA145, 0xA145, From('\u{2022}')),
    (0xA14E, 0xA14E, From('\u{FF64}')),
    (0xA15A, 0xA15A, Nothing),
    (0xA1C2, 0xA1C2, From('\u{203E}')),
    (0xA1C3, 0xA1C3, Nothing),
    (0xA1C5, 0xA1C5, Nothing),
    (0xA1E3, 0xA1E3, From('\u{223C}')),
    (0xA1F2, 0xA1F3, Text("\u{2641}\u{2609}")),
    (0xA1FE, 0xA240, Nothing),
    (0xA241, 0xA242, Text("\u{FF0F}\u{FF3C}")),
    (0xA244, 0xA244, From('\u{00A5}')),
    (0xA246, 0xA247, From('\u{00A2}')),
    (0xA2CC, 0xA2CC, Nothing),
    (0xA2CE, 0xA2CE, Nothing),
    (0xA3C0, 0xA3E1, Nothing),
    (0xC6A1, 0xC6A4, Text("\u{30FE}\u{309D}\u{309E}\u{3005}")),
    (0xC6A5, 0xC6F7, From('\u{3041}')),
    (0xC6F8, 0xC6FE, From('\u{30A1}')),
    (0xC740, 0xC77E, From('\u{30A8}')),
    (0xC7A1, 0xC7B0, From('\u{30E7}')),
    (
        0xC7B1,
        0xC7BA,
        Text(
            "\
        \u{0414}\u{0415}\u{0401}\u{0416}\u{0417}\u{0418}\u{0419}\u{041A}\u{041B}\u{041C}\
    ",
        ),
    ),
    (0xC7BB, 0xC7CD, From('\u{0423}')),
    (0xC7CE, 0xC7CE, Text("\u{0451}")),
    (0xC7CF, 0xC7E8, From('\u{0436}')),
    (0xC7E9, 0xC7F2, From('\u{2460}')),
    (0xC7F3, 0xC7FC, From('\u{2474}')),
    (0xC7FD, 0xC8FE, Nothing),
    (0xF9DD, 0xFEFE, Nothing),
];

pub(super) const EUCJPMS: &[Exception] = &[
    (0xF5A1, 0xF5FE, From('\u{E000}')),
    (0xF6A1, 0xF6FE, From('\u{E05E}')),
    (0xF7A1, 0xF7FE, From('\u{E0BC}')),
    (0xF8A1, 0xF8FE, From('\u{E11A}')),
    (0xF9A1, 0xF9FE, From('\u{E178}')),
    (0xFAA1, 0xFAFE, From('\u{E1D6}')),
    (0xFBA1, 0xFBFE, From('\u{E234}')),
    (0xFCA1, 0xFCFE, From('\u{E292}')),
    (0xFDA1, 0xFDFE, From('\u{E2F0}')),
    (0xFEA1, 0xFEFE, From('\u{E34E}')),
    (0x8FA2C3, 0x8FA2C3, From('\u{FFE4}')),
    (0x8FF3F3, 0x8FF3FC, From('\u{2170}')),
    (0x8FF3FD, 0x8FF3FE, From('\u{2160}')),
    (0x8FF4A1, 0x8FF4A8, From('\u{2162}')),
    (
        0x8FF4A9,
        0x8FF4FE,
        Text(
            "\
        \u{FF07}\u{FF02}\u{3231}\u{2116}\u{2121}\u{70BB}\u{4EFC}\u{50F4}\u{51EC}\u{5307}\
        \u{5324}\u{FA0E}\u{548A}\u{5759}\u{FA0F}\u{FA10}\u{589E}\u{5BEC}\u{5CF5}\u{5D53}\
        \u{FA11}\u{5FB7}\u{6085}\u{6120}\u{654E}\u{663B}\u{6665}\u{FA12}\u{F929}\u{6801}\
        \u{FA13}\u{FA14}\u{6A6B}\u{6AE2}\u{6DF8}\u{6DF2}\u{7028}\u{FA15}\u{FA16}\u{7501}\
        \u{7682}\u{769E}\u{FA17}\u{7930}\u{FA18}\u{FA19}\u{FA1A}\u{FA1B}\u{7AE7}\u{FA1C}\
        \u{FA1D}\u{7DA0}\u{7DD6}\u{FA1E}\u{8362}\u{FA1F}\u{85B0}\u{FA20}\u{FA21}\u{8807}\
        \u{FA22}\u{8B7F}\u{8CF4}\u{8D76}\u{FA23}\u{FA24}\u{FA25}\u{90DE}\u{FA26}\u{9115}\
        \u{FA27}\u{FA28}\u{9592}\u{F9DC}\u{FA29}\u{973B}\u{974D}\u{9751}\u{FA2A}\u{FA2B}\
        \u{FA2C}\u{999E}\u{9AD9}\u{9B72}\u{FA2D}\u{9ED1}\
    ",
        ),
    ),
    (0x8FF5A1, 0x8FF5FE, From('\u{E3AC}')),
    (0x8FF6A1, 0x8FF6FE, From('\u{E40A}')),
    (0x8FF7A1, 0x8FF7FE, From('\u{E468}')),
    (0x8FF8A1, 0x8FF8FE, From('\u{E4C6}')),
    (0x8FF9A1, 0x8FF9FE, From('\u{E524}')),
    (0x8FFAA1, 0x8FFAFE, From('\u{E582}')),
    (0x8FFBA1, 0x8FFBFE, From('\u{E5E0}')),
    (0x8FFCA1, 0x8FFCFE, From('\u{E63E}')),
    (0x8FFDA1, 0x8FFDFE, From('\u{E69C}')),
    (0x8FFEA1, 0x8FFEFE, From('\u{E6FA}')),
];

pub(super) const GB18030: &[Exception] = &[
    (0xA3A0, 0xA3A0, From('\u{E5E5}')),
    (0xA6D9, 0xA6DF, From('\u{E78D}')),
    (0xA6EC, 0xA6ED, From('\u{E794}')),
    (0xA6F3, 0xA6F3, From('\u{E796}')),
    (0xFE59, 0xFE59, From('\u{E81E}')),
    (0xFE61, 0xFE61, From('\u{E826}')),
    (0xFE66, 0xFE67, From('\u{E82B}')),
    (0xFE6D, 0xFE6D, From('\u{E832}')),
    (0xFE7E, 0xFE7E, From('\u{E843}')),
    (0xFE90, 0xFE90, From('\u{E854}')),
    (0xFEA0, 0xFEA0, From('\u{E864}')),
];

pub(super) const GB2312: &[Exception] = &[
    (0xA1A4, 0xA1A4, From('\u{30FB}')),
    (0xA1AA, 0xA1AA, From('\u{2015}')),
    (0xA2A1, 0xA2B0, Nothing),
    (0xA2E3, 0xA2E4, Nothing),
    (0xA2EF, 0xA2F0, Nothing),
    (0xA2FD, 0xA2FE, Nothing),
    (0xA4F4, 0xA4FE, Nothing),
    (0xA5F7, 0xA5FE, Nothing),
    (0xA6B9, 0xA6C0, Nothing),
    (0xA6D9, 0xA6FE, Nothing),
    (0xA7C2, 0xA7D0, Nothing),
    (0xA7F2, 0xA7FE, Nothing),
    (0xA8BB, 0xA8C4, Nothing),
    (0xA8EA, 0xA9A3, Nothing),
    (0xA9F0, 0xAFFE, Nothing),
    (0xD7FA, 0xD7FE, Nothing),
];

pub(super) const GBK: &[Exception] = &[
    (0xA140, 0xA1A0, Nothing),
    (0xA240, 0xA2A0, Nothing),
    (0xA2AB, 0xA2B0, Nothing),
    (0xA2E3, 0xA2E4, Nothing),
    (0xA2EF, 0xA2F0, Nothing),
    (0xA2FD, 0xA3A0, Nothing),
    (0xA440, 0xA4A0, Nothing),
    (0xA4F4, 0xA5A0, Nothing),
    (0xA5F7, 0xA6A0, Nothing),
    (0xA6B9, 0xA6C0, Nothing),
    (0xA6D9, 0xA6DF, Nothing),
    (0xA6EC, 0xA6ED, Nothing),
    (0xA6F3, 0xA6F3, Nothing),
    (0xA6F6, 0xA7A0, Nothing),
    (0xA7C2, 0xA7D0, Nothing),
    (0xA7F2, 0xA7FE, Nothing),
    (0xA896, 0xA8A0, Nothing),
    (0xA8BC, 0xA8BC, Nothing),
    (0xA8BF, 0xA8BF, Nothing),
    (0xA8C1, 0xA8C4, Nothing),
    (0xA8EA, 0xA8FE, Nothing),
    (0xA958, 0xA958, Nothing),
    (0xA95B, 0xA95B, Nothing),
    (0xA95D, 0xA95F, Nothing),
    (0xA989, 0xA995, Nothing),
    (0xA997, 0xA9A3, Nothing),
    (0xA9F0, 0xA9FE, Nothing),
    (0xAAA1, 0xAAFE, Nothing),
    (0xABA1, 0xABFE, Nothing),
    (0xACA1, 0xACFE, Nothing),
    (0xADA1, 0xADFE, Nothing),
    (0xAEA1, 0xAEFE, Nothing),
    (0xAFA1, 0xAFFE, Nothing),
    (0xD7FA, 0xD7FE, Nothing),
    (0xF8A1, 0xF8FE, Nothing),
    (0xF9A1, 0xF9FE, Nothing),
    (0xFAA1, 0xFAFE, Nothing),
    (0xFBA1, 0xFBFE, Nothing),
    (0xFCA1, 0xFCFE, Nothing),
    (0xFDA1, 0xFDFE, Nothing),
    (0xFE50, 0xFEFE, Nothing),
];

pub(super) const SJIS: &[Exception] = &[
    (0x815F, 0x8161, Text("\u{005C}\u{301C}\u{2016}")),
    (0x817C, 0x817C, From('\u{2212}')),
    (0x8191, 0x8192, From('\u{00A2}')),
    (0x81CA, 0x81CA, From('\u{00AC}')),
    (0x8740, 0x879C, Nothing),
    (0xED40, 0xFC4B, Nothing),
];

pub(super) const UJIS: &[Exception] = &[
    (0xA1C0, 0xA1C2, Text("\u{005C}\u{301C}\u{2016}")),
    (0xA1DD, 0xA1DD, From('\u{2212}')),
    (0xA1F1, 0xA1F2, From('\u{00A2}')),
    (0xA2CC, 0xA2CC, From('\u{00AC}')),
    (0xADA1, 0xADFC, Nothing),
    (0xF5A1, 0xF5FE, From('\u{E000}')),
    (0xF6A1, 0xF6FE, From('\u{E05E}')),
    (0xF7A1, 0xF7FE, From('\u{E0BC}')),
    (0xF8A1, 0xF8FE, From('\u{E11A}')),
    (0xF9A1, 0xF9FE, From('\u{E178}')),
    (0xFAA1, 0xFAFE, From('\u{E1D6}')),
    (0xFBA1, 0xFBFE, From('\u{E234}')),
    (0xFCA1, 0xFCFE, From('\u{E292}')),
    (0xFDA1, 0xFDFE, From('\u{E2F0}')),
    (0xFEA1, 0xFEFE, From('\u{E34E}')),
    (0x8FA2B7, 0x8FA2B7, From('\u{007E}')),
    (0x8FF5A1, 0x8FF5FE, From('\u{E3AC}')),
    (0x8FF6A1, 0x8FF6FE, From('\u{E40A}')),
    (0x8FF7A1, 0x8FF7FE, From('\u{E468}')),
    (0x8FF8A1, 0x8FF8FE, From('\u{E4C6}')),
    (0x8FF9A1, 0x8FF9FE, From('\u{E524}')),
    (0x8FFAA1, 0x8FFAFE, From('\u{E582}')),
    (0x8FFBA1, 0x8FFBFE, From('\u{E5E0}')),
    (0x8FFCA1, 0x8FFCFE, From('\u{E63E}')),
    (0x8FFDA1, 0x8FFDFE, From('\u{E69C}')),
    (0x8FFEA1, 0x8FFEFE, From('\u{E6FA}')),
];
