"""What Fernweh Supply sells: the departments, their lines of goods, and the words that product names are made of.

Plain tables without any logic. `catalogue` draws from them; `pictures` draws the shape that a line names.
"""

# ruff: noqa: E501, RUF001 - tables, with real signs in them

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of goods within a department.

    name: the second, finer category. shape: its drawing in `pictures`. low, high: price range in whole dollars.
    nouns: what an item of the line may be called. pitches: first sentences of a description.
    """

    name: str
    shape: str
    low: float
    high: float
    nouns: tuple[str, ...]
    pitches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Department:
    """One of the shop's categories.

    share: its part of the catalogue, relative. peak: day of the year on which demand is highest. swing: by how
    much demand rises then, in logits. goes_with: departments that people turn to next.
    """

    name: str
    share: float
    peak: int
    swing: float
    goes_with: tuple[str, ...]
    details: tuple[str, ...]
    lines: tuple[Line, ...]


DEPARTMENTS: tuple[Department, ...] = (
    Department(
        "Tents & Shelters", 0.9, 185, 0.6, ("Sleeping Bags & Mats", "Chairs & Hammocks"),
        ("Ripstop fly, taped seams.", "Aluminium poles, two vestibules.", "Pitches in four minutes, alone.",
         "Tested in a week of Atlantic rain."),
        (
            Line("Trekking tents", "ridge", 180, 620, ("1-Person Trekking Tent", "2-Person Trekking Tent",
                 "3-Person Trekking Tent", "Solo Ridge Tent"),
                 ("Light enough to forget, strong enough for the pass.", "Home for the night above the tree line.")),
            Line("Family tents", "dome", 220, 780, ("Family Dome Tent", "4-Person Dome Tent", "6-Person Dome Tent"),
                 ("Room for everyone, and for the wet boots.", "Standing height in the middle, stars on top.")),
            Line("Bell tents", "tipi", 390, 1150, ("Canvas Bell Tent", "Cotton Tipi", "Glamping Bell Tent"),
                 ("Heavy cotton canvas that breathes in summer.", "A living room for the meadow.")),
            Line("Tarps", "tarp", 45, 180, ("Ridgeline Tarp", "Wing Tarp", "Sun Sail"),
                 ("Shade at noon, shelter at night.", "The simplest roof there is.")),
        ),
    ),
    Department(
        "Sleeping Bags & Mats", 0.9, 195, 0.5, ("Tents & Shelters", "Lanterns & Lamps"),
        ("Comfort limit −4 °C.", "Packs to the size of a loaf.", "Responsibly sourced 700-fill down.",
         "Recycled shell, two-way zip."),
        (
            Line("Sleeping bags", "mummy", 79, 520, ("Down Sleeping Bag", "Mummy Sleeping Bag",
                 "Three-Season Sleeping Bag", "Summer Sleeping Bag"),
                 ("Warm where it matters, roomy at the feet.", "For cold mornings and slow breakfasts.")),
            Line("Sleeping mats", "mat", 29, 210, ("Insulated Sleeping Mat", "Self-Inflating Mat", "Folding Foam Mat"),
                 ("Takes the roots out of the ground.", "Five centimetres between you and the stones.")),
            Line("Pillows", "pillow", 15, 49, ("Camp Pillow", "Travel Pillow"),
                 ("A small comfort that weighs nothing.",)),
        ),
    ),
    Department(
        "Backpacks & Bags", 1.1, 160, 0.3, ("Boots & Shoes", "Drinkware"),
        ("Ventilated back, load lifters.", "Waxed canvas and bridle leather.", "Recycled 420-denier nylon.",
         "Repaired free of charge, for life."),
        (
            Line("Trekking packs", "rucksack", 110, 340, ("35 L Hut Pack", "45 L Trekking Pack", "65 L Expedition Pack"),
                 ("Carries a week and sits like a day.", "For long ways between two villages.")),
            Line("Daypacks", "daypack", 49, 160, ("18 L Daypack", "22 L Daypack", "Roll-Top Daypack", "City Pack"),
                 ("Office on Friday, summit on Saturday.", "Everything for a day, nothing more.")),
            Line("Duffels", "duffel", 59, 220, ("40 L Duffel", "60 L Duffel", "Weekend Duffel"),
                 ("Throw it on the roof, in the boat, on the train.",)),
        ),
    ),
    Department(
        "Boots & Shoes", 1.1, 270, 0.3, ("Jackets & Layers", "Backpacks & Bags"),
        ("Resoleable, double-stitched.", "Grippy lug sole.", "Waterproof membrane.", "Full-grain leather, waxed."),
        (
            Line("Hiking boots", "boot", 120, 360, ("Leather Hiking Boot", "Mid Hiking Boot", "Alpine Boot", "Winter Boot"),
                 ("Broken in by the second weekend.", "Sure feet on wet roots.")),
            Line("Trail shoes", "shoe", 85, 190, ("Trail Running Shoe", "Approach Shoe", "Trail Shoe"),
                 ("Quick, low and happy in mud.", "From the bus stop to the ridge.")),
            Line("Socks", "sock", 14, 34, ("Merino Hiking Sock", "Wool Crew Sock", "Cushioned Sock"),
                 ("Merino, because feet remember.",)),
        ),
    ),
    Department(
        "Jackets & Layers", 1.2, 340, 0.7, ("Boots & Shoes", "Blankets & Cushions"),
        ("Recycled face fabric, no fluorocarbons.", "Helmet-compatible hood.", "Two chest pockets, one secret one.",
         "Spun and knitted in one valley."),
        (
            Line("Shells", "jacket", 90, 480, ("Rain Shell", "Three-Layer Shell", "Wind Jacket", "Rain Jacket"),
                 ("Keeps the weather on the other side.", "Three layers, no noise.")),
            Line("Insulation", "puffer", 160, 590, ("Down Jacket", "Insulated Jacket", "Winter Parka"),
                 ("A warm room with sleeves.", "For standing still in the snow.")),
            Line("Knitwear", "sweater", 60, 190, ("Merino Crewneck", "Fisherman Sweater", "Lambswool Pullover"),
                 ("The sweater people borrow and keep.", "Wool that gets better each winter.")),
            Line("Beanies", "beanie", 19, 55, ("Wool Beanie", "Ribbed Beanie", "Pom Beanie"),
                 ("Warm ears, quiet head.",)),
        ),
    ),
    Department(
        "Camp Kitchen", 1.0, 180, 0.4, ("Drinkware", "Knives & Tools"),
        ("Boils a litre in under four minutes.", "Pre-seasoned, lasts generations.", "Nests into itself.",
         "Handles stay cool."),
        (
            Line("Stoves", "stove", 35, 240, ("Gas Stove", "Compact Stove", "Expedition Stove"),
                 ("Coffee at sunrise, whatever the wind says.", "Small flame, big appetite.")),
            Line("Skillets", "skillet", 24, 120, ("Cast-Iron Skillet", "Carbon Steel Skillet", "Camp Skillet"),
                 ("From the fire to the table.", "Eggs slide, steaks sear.")),
            Line("Pots", "pot", 32, 180, ("Dutch Oven", "Enamel Stew Pot", "Camp Cook Pot"),
                 ("One pot, twelve friends.", "Slow stews over embers.")),
        ),
    ),
    Department(
        "Drinkware", 1.0, 200, 0.2, ("Camp Kitchen", "Backpacks & Bags"),
        ("Keeps hot for twelve hours.", "Dishwasher safe.", "Fired twice, chip resistant.", "Leakproof lid, one hand."),
        (
            Line("Bottles", "bottle", 18, 55, ("Insulated Bottle", "Steel Bottle", "Trail Bottle", "Vacuum Flask"),
                 ("Cold spring water at four in the afternoon.", "The last bottle you lose.")),
            Line("Mugs", "mug", 9, 34, ("Enamel Mug", "Stoneware Mug", "Camp Mug"),
                 ("Your mug. Everyone will know.", "Made for both hands.")),
            Line("Kettles", "kettle", 29, 140, ("Enamel Kettle", "Pour-Over Kettle", "Camp Kettle"),
                 ("Sings before it boils over.", "A slow, steady pour.")),
        ),
    ),
    Department(
        "Lanterns & Lamps", 1.0, 345, 0.6, ("Blankets & Cushions", "Tents & Shelters"),
        ("Dims to candlelight.", "USB-C, eighty hours.", "Hand-blown glass.", "Hand-poured in small batches."),
        (
            Line("Lanterns", "lantern", 29, 160, ("Storm Lantern", "Camp Lantern", "Rechargeable Lantern"),
                 ("A pool of warm light on the table.", "Hangs anywhere, glows everywhere.")),
            Line("Headlamps", "headlamp", 24, 110, ("Trail Headlamp", "400 lm Headlamp", "Running Headlamp"),
                 ("For the path home after the sunset you stayed for.",)),
            Line("Candles", "candle", 9, 38, ("Beeswax Candle", "Cedar Candle", "Pine Resin Candle"),
                 ("Smells of a cabin after rain.", "Forty hours of evening.")),
            Line("Table lamps", "lamp", 59, 240, ("Oak Table Lamp", "Linen Table Lamp", "Reading Lamp"),
                 ("Soft light for long books.",)),
        ),
    ),
    Department(
        "Knives & Tools", 0.9, 290, 0.2, ("Camp Kitchen", "Garden & Balcony"),
        ("Swedish steel, ash handle.", "Leather sheath included.", "Sharpened by hand.", "Adjusted and sealed."),
        (
            Line("Knives", "knife", 29, 190, ("Folding Knife", "Picnic Knife", "Pocket Knife"),
                 ("Apples, rope, birthday cake.", "The knife your grandfather meant.")),
            Line("Axes", "axe", 49, 180, ("Forest Axe", "Camp Hatchet", "Splitting Axe"),
                 ("Two strokes, one log.", "Balanced like a good sentence.")),
            Line("Compasses", "compass", 19, 95, ("Field Compass", "Baseplate Compass", "Brass Compass"),
                 ("Never needs charging.", "North, reliably.")),
            Line("Binoculars", "binoculars", 79, 480, ("8×32 Binoculars", "10×42 Binoculars", "Compact Binoculars"),
                 ("The far shore, close up.",)),
        ),
    ),
    Department(
        "Blankets & Cushions", 1.0, 350, 0.7, ("Lanterns & Lamps", "Chairs & Hammocks"),
        ("Woven from new wool.", "Stone-washed linen cover.", "Fringed by hand.", "Natural dyes, each one a little different."),
        (
            Line("Throws", "blanket", 49, 260, ("Wool Throw", "Camp Blanket", "Picnic Blanket", "Alpaca Throw"),
                 ("For the sofa, the dunes, the back seat.", "Heavier than it looks, kinder than it needs to be.")),
            Line("Cushions", "cushion", 24, 95, ("Linen Cushion", "Wool Cushion", "Kilim Cushion"),
                 ("Makes any bench a place to stay.",)),
            Line("Rugs", "rug", 79, 420, ("Jute Rug", "Flatwoven Rug", "Wool Runner"),
                 ("Soft ground for cold floors.",)),
        ),
    ),
    Department(
        "Garden & Balcony", 0.9, 125, 0.8, ("Chairs & Hammocks", "Knives & Tools"),
        ("Frost-proof to −15 °C.", "Galvanised and powder-coated.", "Untreated larch.", "Made by a family of potters."),
        (
            Line("Planters", "planter", 14, 120, ("Terracotta Planter", "Glazed Planter", "Herb Pot"),
                 ("Basil, or ambition.", "A small forest for the window sill.")),
            Line("Watering cans", "can", 24, 98, ("Watering Can", "Long-Reach Watering Can", "Indoor Watering Can"),
                 ("Gentle as April rain.",)),
            Line("Bird houses", "birdhouse", 22, 79, ("Bird House", "Nesting Box", "Bird Feeder"),
                 ("Tenants arrive in March.",)),
            Line("Hand tools", "trowel", 12, 48, ("Hand Trowel", "Planting Trowel", "Transplanting Trowel"),
                 ("Feels right, digs deep.",)),
        ),
    ),
    Department(
        "Chairs & Hammocks", 1.0, 170, 0.6, ("Blankets & Cushions", "Garden & Balcony"),
        ("Solid beech, brass fittings.", "Folds flat in seconds.", "Holds 200 kg.", "Carry bag included."),
        (
            Line("Camp chairs", "chair", 39, 190, ("Folding Camp Chair", "Director's Chair", "Canvas Lounge Chair"),
                 ("The best seat at the lake.", "Reserve it with a book.")),
            Line("Hammocks", "hammock", 39, 160, ("Travel Hammock", "Two-Person Hammock", "Cotton Hammock"),
                 ("Two trees and an afternoon.",)),
            Line("Tables", "table", 49, 260, ("Folding Table", "Picnic Table", "Side Table"),
                 ("Dinner, wherever you stop.",)),
            Line("Fire bowls", "firebowl", 79, 420, ("Fire Bowl", "Steel Fire Pit", "Travel Fire Bowl"),
                 ("Stories need a middle.",)),
        ),
    ),
)  # fmt: skip

BRANDS: tuple[str, ...] = (
    "Fernweh", "Lodgepole", "Nordhavn & Daughters", "Tarnside", "Ashgrove Works", "Kite & Compass", "Moorland Mill",
    "Haldenfels", "Sprucewell", "Brindle Bay", "Low Tide", "Ember & Oak", "Skerry", "Wanderkraft", "Old Ferry", "Juniper Row",
)  # fmt: skip

MODELS: tuple[str, ...] = (
    "Alder", "Anvik", "Arran", "Aspen", "Aurland", "Banff", "Bergen", "Birch", "Bivak", "Blakeney", "Bothy", "Bramble",
    "Bristlecone", "Brook", "Burren", "Cairn", "Calder", "Cascade", "Cedar", "Clover", "Corrie", "Cove", "Crag", "Curlew",
    "Dalen", "Delta", "Dipper", "Drift", "Dune", "Eider", "Ekeby", "Elk", "Ennerdale", "Estuary", "Fallow", "Fell",
    "Fen", "Fjord", "Flint", "Foxglove", "Frost", "Gannet", "Glacier", "Glen", "Grove", "Gully", "Harbor", "Harrier",
    "Haven", "Hawthorn", "Hazel", "Heath", "Heron", "Hollow", "Isar", "Islay", "Ivalo", "Juniper", "Kittiwake", "Kiruna",
    "Kiln", "Lark", "Larch", "Ledge", "Lichen", "Loch", "Lofoten", "Lupine", "Lynx", "Maple", "Marten", "Meadow",
    "Merlin", "Mesa", "Mist", "Moraine", "Nettle", "Nordkap", "Oriel", "Otter", "Ouzel", "Outpost", "Pebble", "Peregrine",
    "Pine", "Plover", "Polaris", "Quarry", "Quill", "Rannoch", "Raven", "Ridge", "Rondane", "Rowan", "Saltmarsh", "Sarek",
    "Scree", "Sedge", "Senja", "Shale", "Sierra", "Skagen", "Skye", "Solstice", "Sorrel", "Summit", "Swift", "Tarn",
    "Teal", "Thicket", "Thistle", "Tide", "Timber", "Torne", "Tundra", "Vale", "Vega", "Wharf", "Willow", "Wren",
)  # fmt: skip

COLOURS: tuple[str, ...] = (
    "Moss", "Ochre", "Slate", "Rust", "Fjord", "Sand", "Pine", "Plum", "Clay", "Ink", "Sage", "Honey", "Heather", "Poppy",
    "Lagoon", "Charcoal",
)  # fmt: skip
"""Names of the palettes in `pictures`; an item is drawn in its own colour."""

FIRST_NAMES: tuple[str, ...] = (
    "Ada", "Amara", "Anouk", "Arjun", "Ben", "Bruna", "Carla", "Chidi", "Dana", "Elif", "Emil", "Farah", "Finn", "Gita",
    "Hana", "Ines", "Iva", "Jonas", "Juna", "Kaito", "Lea", "Liam", "Luz", "Maja", "Malik", "Mira", "Nia", "Noor", "Olga",
    "Oskar", "Paula", "Priya", "Rafael", "Rosa", "Sami", "Signe", "Tariq", "Thea", "Uma", "Vera", "Wen", "Yara", "Yusuf",
    "Zoe",
)  # fmt: skip

LAST_NAMES: tuple[str, ...] = (
    "Abbas", "Almeida", "Andersen", "Bauer", "Berg", "Castillo", "Chen", "Costa", "Dubois", "Eze", "Fischer", "Garcia",
    "Haas", "Horvat", "Ito", "Jansen", "Kaya", "Keller", "Kowalski", "Larsen", "Lindqvist", "Marino", "Mensah", "Moreau",
    "Nakamura", "Nguyen", "Novak", "Okafor", "Patel", "Petrov", "Quist", "Rahman", "Rossi", "Santos", "Schmidt", "Silva",
    "Singh", "Tanaka", "Vargas", "Weber", "Yilmaz", "Zhang",
)  # fmt: skip

CITIES: tuple[tuple[str, str], ...] = (
    ("Oslo", "NO"), ("Hamburg", "DE"), ("Munich", "DE"), ("Vienna", "AT"), ("Zürich", "CH"), ("Lyon", "FR"),
    ("Turin", "IT"), ("Bilbao", "ES"), ("Porto", "PT"), ("Leeds", "GB"), ("Cork", "IE"), ("Utrecht", "NL"),
    ("Gdańsk", "PL"), ("Aarhus", "DK"), ("Gothenburg", "SE"), ("Portland", "US"), ("Denver", "US"), ("Halifax", "CA"),
)  # fmt: skip
