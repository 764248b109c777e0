"""Special categories of data (Article 9 GDPR) and sensitive personal information (Cal. Civ. Code
1798.140(ae)), by the
names people give to things: traits, segments, features, categories of items.

To infer such a thing counts as holding it (CJEU C-184/20, C-252/21), so a name that stands for one is flagged
when it is made, proxies too. A list knows what it knows: it flags more than it must and less than there is,
in English and some common words of other languages. Words are compared whole or, where a stem says enough,
from their beginning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

SPECIAL: Mapping[str, str] = MappingProxyType(
    {
        "health": """
        health* medical medicine* medicin* medication* patient* disease* illness* sick sickness symptom* diagnos*
        therap* treatment clinic clinics clinical hospital* doctor* pharma* drugstore prescription* vaccin*
        cancer* oncolog* tumor tumour chemo* diabet* insulin hiv aids hepatit* asthma* allerg* depress*
        anxiety bipolar schizo* autis* adhd dementia alzheimer* parkinson* epilep* disab* handicap*
        wheelchair* blind deaf hearing prosthe* pregnan* maternity fertil* ivf ovulat* menstru* period_tracker
        contracept* abort* menopaus* miscarr* obes* overweight bmi diet weight_loss slimming eating_disorder
        anorex* bulimi* alcoholi* addict* rehab* opioid* methadone smok* quit_smoking mental* psych* suicid*
        self_harm insomnia sleep_apnea covid* infect* std sti sexual_health erectile viagra incontinen*
        glucose blood* bloodpressure cholesterol cardio* cardiac kidney dialysis transplant genetic_test
        krank* gesundheit* schwanger* sante maladie salud enfermedad embarazo
    """,
        "sex life": """
        sex sexual* sexy gay gays lesbian* bisexual* transgender trans_* transsexual* nonbinary non_binary
        queer lgbt* pride homosexual* heterosexual* straight_or_gay orientation asexual fetish* bdsm kink*
        erotic* porn* adult_toys sex_toys escort* grindr swinger* polyamor* gender_identity pronoun*
        coming_out same_sex drag_queen
    """,
        "religion": """
        relig* faith* belief* christ* catholic* protestant* evangelical* orthodox* baptist* mormon* jehovah*
        muslim* islam* sunni shia shiite quran koran halal hijab* mosque* ramadan eid jew jews jewish judaism
        kosher synagogue* torah hanukkah passover shabbat hindu* buddhis* sikh* jain* church* bible* gospel
        prayer* pray rosary communion baptism confirmation_gift atheis* agnostic* scientolog* pagan* wicca*
        satan* confession_of_faith zakat hajj lent_fasting kirche* eglise iglesia
    """,
        "politics": """
        politic* democrat* republican* conservative* liberal* socialis* communis* labour_party tory tories gop
        left_wing right_wing far_right far_left leftist* marxis* fascis* nationalis* populis* voter* voting
        vote ballot* election* party_member* party_donor* campaign_donor* maga brexit* remainer* antifa blm
        activis* protest* petition* anarchis* green_party pro_life pro_choice gun_rights gun_control partei
        wahl* electeur*
    """,
        "ethnicity": """
        ethnic* race racial* african_american black_owned black_hair afro* caucasian hispanic* latino* latina*
        latinx asian south_asian arab* roma gypsy gypsies sinti indigenous native_american aborigin* maori
        inuit tribal tribe* caste* dalit skin_colour skin_color skin_tone skin_whitening origin_country
        nationality migrant* immigrant* refugee* asylum* citizenship mixed_race ancestry dna_ancestry
        surname_origin mother_tongue kurdish uyghur* rohingya
    """,
        "trade union": """
        union_member* trade_union* labor_union* labour_union* unionis* unioniz* collective_bargaining
        shop_steward* strike_fund picket* gewerkschaft* syndicat* sindicato*
    """,
        "biometrics and genetics": """
        biometr* fingerprint* faceprint* face_id facial_recognition iris_scan retina* voiceprint* voice_print
        gait dna genetic* genom* genotype* hereditary brca* chromosom* heart_rate ecg eeg emotion_detect*
        palm_print
    """,
        "sensitive by US law": """
        ssn social_security* passport* drivers_license driver_license national_id tax_id account_password
        precise_location geolocation gps_track* immigration_status criminal* conviction* arrest* felon* offender*
        prison*
        bankrupt* payday_loan* credit_score debt* gambl* casino* victim* domestic_violence shelter_resident
        child_support military_veteran private_messages mail_content
    """,
    }
)
"""By category: words and stems (`*`). An underscore stands for whatever parts words."""

_BREAKS = re.compile(r"[^a-z0-9]+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def _pattern(words: str) -> re.Pattern[str]:
    parts = [
        re.escape(word.rstrip("*")).replace("_", "_?") + ("[a-z0-9]*" if word.endswith("*") else "s?")
        for word in words.split()
    ]
    return re.compile(rf"(?:^|_)(?:{'|'.join(parts)})(?=_|$)")


_PATTERNS = {category: _pattern(words) for category, words in SPECIAL.items()}


def flags(name: str) -> tuple[str, ...]:
    """The special categories that `name` may stand for, in a fixed order; () for none that we know."""
    humped = _HUMPS.sub("_", name)
    bare = "".join(char for char in unicodedata.normalize("NFKD", humped) if not unicodedata.combining(char))
    plain = _BREAKS.sub("_", bare.casefold())
    return tuple(category for category, pattern in _PATTERNS.items() if pattern.search(plain))
