use proptest::prelude::*;

use super::Class;

fn class(text: &str) -> String {
    Class::of(text).to_string()
}

#[test]
fn keys_in_the_clear() {
    for raw in [
        "q7Xv2mNpL9sKd4RtYw8ZbA",
        "acme_live_q7Xv2mNpL9sKd4RtYw8ZbA1c",
        "3f9a1c7e5b2d8f4a6c0e9b7d5f3a1c2e48",
        "zJ4-hQ8_tR2-vN6_yB0-wK5_xP9",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9aabb1",
    ] {
        assert_eq!(class(raw), "raw", "{raw}");
    }
    for weak in [
        "hunter2",
        "correcthorsebatterystaple",
        "correct-horse-battery-staple-and-more",
        "12345678901234567890123456789012345678901",
        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
        "password1password1password1password1",
        "4b3403665fea6",
        "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
    ] {
        assert_eq!(class(weak), "weak", "{weak}");
    }
}

#[test]
fn hashes() {
    for hash in [
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8",
        "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        "b109f3bbbc244eb82441917ed06d618b9008dd09b3befd1b5e07394c706a8bb980b1d7785e5976ec049b46df5f1326af5a2ea6d103fd07c95385ffab0cacbc86",
        "$2y$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
        "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.cAOIAifu3fykvhkHpbuhbvtH807-Z2rI1FS3vX1XMjE",
    ] {
        assert_eq!(class(hash), "hash", "{hash}");
    }
}

#[test]
fn what_was_enciphered() {
    for cipher in [
        // openssl enc -aes-256-cbc -salt -base64
        "U2FsdGVkX1+vupppZksvRf5pq5g5XjFRlipRkwB0K1Y=",
        // Fernet
        "gAAAAABf3JqZ8Xh1Yk0Zl5v4m1Jt8R7w2Q9x3B6n5C4d7E8f9G0h1I2j3K4l5M6n7O8p9Q0r1S2t3U4v5W6x7Y8z9A==",
        // Laravel's Crypt::encrypt
        "eyJpdiI6IjEyMzQ1Njc4OTAxMjM0NTYiLCJ2YWx1ZSI6ImFiY2QiLCJtYWMiOiJlZmdoIn0=",
        // iv:ciphertext in hexadecimal, as of Node's createCipheriv
        "000102030405060708090a0b0c0d0e0f:3ad77bb40d7a3660a89ecaf32466ef97",
        // iv:tag:ciphertext in base64, as of AES-GCM
        "AAECAwQFBgcICQoL:EBESExQVFhcYGRobHB0eHw==:ICEiIyQlJicoKSor",
        "vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==",
        "ENC(G6N718UuyPE5bHyWKyuLQSm02auQPUtm)",
        // Initialisation vector and block in one piece of base64.
        "AAECAwQFBgcICQoLDA0ODzrXe7QNejZgqJ7K8yRm75c=",
    ] {
        assert_eq!(class(cipher), "cipher", "{cipher}");
    }
}

/// None of them is a secret of anybody; put together here, so that no scanner takes them for one.
#[test]
fn secrets_of_outside_services() {
    let digits = "4eC39HqLyjWDarjtT1zdp7dc4eC39HqLyjWDarjtT1";
    let hex = "0123456789abcdef0123456789abcdef";
    for (text, provider) in [
        (format!("sk_{}_{digits}", "live"), "stripe"),
        (format!("{}IOSFODNN7EXAMPLE", "AKIA"), "aws"),
        (format!("{}_{}", "ghp", &digits[..36]), "github"),
        (format!("{}-1234567890-{digits}", "xoxb"), "slack"),
        (format!("{}{}", "AIza", &digits[..35]), "google"),
        (format!("{}.{}.{digits}", "SG", &digits[..22]), "sendgrid"),
        (format!("{}-{digits}", "sk-ant"), "anthropic"),
        (format!("{}-{digits}", "sk"), "openai"),
        (format!("{}-{hex}", "key"), "mailgun"),
        (format!("{}BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "-----"), "private key"),
        (format!("mongodb+srv://user:{digits}@host/db"), "database"),
    ] {
        assert_eq!(class(&text), format!("third_party ({provider})"), "{text}");
    }
    // They begin alike and are something else.
    for other in ["AKIAq7Xv2mNpL9sKd4RtYw8ZbA1c", "SKq7Xv2mNpL9sKd4RtYw8ZbA1c", "key-q7Xv2mNpL9sKd4RtYw8ZbA1c"] {
        assert_eq!(class(other), "raw", "{other}");
    }
}

#[test]
fn keys_of_our_own() {
    assert_eq!(class("ins_sk_x"), "own");
}

#[test]
fn what_the_operator_says_is_believed_as_far_as_it_is_safe() {
    assert_eq!(Class::in_the_clear("3f9a1c7e5b2d8f4a6c0e9b7d5f3a1c2e"), Class::Raw);
    assert_eq!(Class::in_the_clear("hunter2"), Class::Weak);
    assert_eq!(Class::outside("whatever"), Class::ThirdParty("unknown"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}", other in "[A-Za-z0-9+/=:._$-]{0,120}") {
        for text in [&text, &other] {
            let _ = (Class::of(text), Class::in_the_clear(text), Class::outside(text));
        }
    }

    #[test]
    fn whatever_is_drawn_from_letters_and_digits_is_raw(text in "[a-z][0-9][A-Z][A-Za-z0-9]{27}") {
        prop_assert_eq!(Class::in_the_clear(&text), Class::Raw);
    }
}
