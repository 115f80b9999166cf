//! The words that the demonstration's data is made of.

pub(super) const FIRST_NAMES: [&str; 40] = [
    "Amina", "Anton", "Aylin", "Ben", "Carla", "Chidi", "Clara", "David", "Elena", "Emil", "Farid", "Fatou", "Greta",
    "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Kaya", "Kofi", "Lara", "Leo", "Lina", "Luca", "Maja", "Malik", "Marta",
    "Mei", "Mila", "Nico", "Nora", "Omar", "Paula", "Quinn", "Rosa", "Samir", "Sofia", "Tariq", "Yara", "Zoe",
];

pub(super) const LAST_NAMES: [&str; 36] = [
    "Abebe", "Adler", "Almeida", "Bauer", "Becker", "Brandt", "Chen", "Costa", "Demir", "Dubois", "Fischer", "Garcia",
    "Haddad", "Hansen", "Ivanov", "Jansen", "Keller", "Kowalski", "Kraus", "Lang", "Lopez", "Mensah", "Meyer",
    "Moreau", "Novak", "Okafor", "Peters", "Rossi", "Santos", "Sato", "Schmidt", "Silva", "Tanaka", "Vogel", "Weber",
    "Yilmaz",
];

/// A category with those below it, and what is kept in each of these.
pub(super) type Branch = (&'static str, &'static [(&'static str, &'static [&'static str])]);

pub(super) const CATEGORIES: [Branch; 8] = [
    (
        "Computers",
        &[
            ("Notebooks", &["Notebook 13\"", "Notebook 15\"", "Convertible 12\""]),
            ("Tablets", &["Tablet 8\"", "Tablet 11\"", "Drawing tablet"]),
            ("Desktops", &["Mini PC", "Workstation", "All-in-one 24\""]),
            ("Accessories", &["Docking station", "USB-C hub", "Mouse", "Keyboard", "Headset"]),
        ],
    ),
    (
        "Photo and video",
        &[
            ("Cameras", &["System camera", "Reflex camera", "Action camera"]),
            ("Lenses", &["Lens 35 mm", "Lens 50 mm", "Lens 70-200 mm"]),
            ("Camcorders", &["Camcorder 4K", "Camcorder HD"]),
            ("Tripods and light", &["Tripod", "Gimbal", "LED panel", "Softbox"]),
        ],
    ),
    (
        "Sound",
        &[
            ("Microphones", &["Lavalier microphone", "Shotgun microphone", "Studio microphone"]),
            ("Recorders", &["Field recorder", "Audio interface"]),
            ("Loudspeakers", &["Active loudspeaker", "Monitor loudspeaker"]),
            ("Mixers", &["Mixer 8 channels", "Mixer 16 channels"]),
        ],
    ),
    (
        "Presentation",
        &[
            ("Projectors", &["Projector Full HD", "Short-throw projector"]),
            ("Screens", &["Projection screen", "Display 55\""]),
            ("Pointers", &["Presenter", "Document camera"]),
            ("Boards", &["Whiteboard on wheels", "Flip chart"]),
        ],
    ),
    (
        "Laboratory",
        &[
            ("Microscopes", &["Microscope", "Stereo microscope"]),
            ("Measuring", &["Multimeter", "Oscilloscope", "Thermal camera", "Scale"]),
            ("Electronics", &["Soldering station", "Bench power supply", "Single-board computer"]),
            ("Robotics", &["Robot kit", "Servo set"]),
        ],
    ),
    (
        "Sport",
        &[
            ("Balls", &["Football", "Basketball", "Volleyball"]),
            ("Games", &["Table-tennis set", "Badminton set"]),
            ("Outdoor", &["Climbing harness", "Bicycle", "Tent"]),
            ("Gymnastics", &["Mat", "Springboard"]),
        ],
    ),
    (
        "Music",
        &[
            ("Guitars", &["Acoustic guitar", "Electric guitar", "Bass guitar"]),
            ("Keys", &["Stage piano", "Synthesiser"]),
            ("Drums", &["Cajon", "Drum kit"]),
            ("Winds", &["Clarinet", "Trumpet", "Saxophone"]),
        ],
    ),
    (
        "Tools",
        &[
            ("Power tools", &["Cordless drill", "Jigsaw", "Sander"]),
            ("Makers", &["3D printer", "Cutting plotter"]),
            ("Textile", &["Sewing machine", "Overlocker"]),
            ("Kitchen", &["Induction plate", "Stand mixer"]),
        ],
    ),
];

pub(super) const BUILDINGS: [(&str, &str); 4] =
    [("Main building", "M"), ("Science wing", "S"), ("Library", "L"), ("Sports hall", "H")];

pub(super) const ROOMS: [&str; 5] = ["Storeroom", "Classroom", "Workshop", "Office", "Media room"];

pub(super) const MAKERS: [&str; 8] = ["Acto", "Belfort", "Corvid", "Delmar", "Ember", "Fjord", "Gantry", "Halcyon"];

pub(super) const COLOURS: [&str; 6] = ["black", "white", "grey", "blue", "red", "green"];

pub(super) const CONDITIONS: [&str; 6] = ["new", "good", "good", "good", "worn", "retired"];

pub(super) const NOTES: [&str; 6] = [
    "For the school newspaper.",
    "With charger and bag.",
    "Excursion, back on Monday.",
    "Please check the battery on return.",
    "Borrowed for the theatre group.",
    "Extended once.",
];

pub(super) const FAULTS: [(&str, &str); 6] = [
    ("inspection", "Yearly electrical inspection."),
    ("repair", "Display cracked, replaced."),
    ("repair", "Connector loose, soldered."),
    ("battery", "Battery holds less than half, replaced."),
    ("cleaning", "Cleaned after use outdoors."),
    ("update", "Firmware updated."),
];
