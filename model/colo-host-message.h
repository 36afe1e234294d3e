/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef COLO_HOST_MESSAGE_H
#define COLO_HOST_MESSAGE_H

// clang-format off
#include "colo_node.h"
// clang-format on

#include "ns3/header.h"

#include <cstdint>

namespace ns3
{

/** Local experimental (IEEE 802), the one after that of the shim. */
constexpr uint16_t COLO_HOST_MESSAGE_ETHERTYPE = 0x88b6;

/**
 * \ingroup colo
 *
 * What hosts tell each other, and an arbiter, in a frame of its own (rule fail-fence): heartbeats
 * on sec_dev, their answers on the checkpoint link, questions and answers of the arbiter on eth0.
 */
class ColoHostMessage : public Header
{
  public:
    /** What is said. */
    enum Kind : uint8_t
    {
        HEARTBEAT,  //!< to the secondary host: term, stamp
        HEARD,      //!< its answer: the same term and stamp
        ASK,        //!< to the arbiter: may the host of this role speak alone in this term?
        GRANTED,    //!< its answer
        DENIED,     //!< its answer
        TELL_TERM,  //!< to the arbiter: a pair is protected again, and this term has begun
        TERM_KNOWN, //!< its answer
        KINDS
    };

    /**
     * \brief Get the type ID.
     * \return the object TypeId
     */
    static TypeId GetTypeId();

    ColoHostMessage() = default;
    /**
     * \param kind what is said.
     * \param pair index of the pair that it is about.
     * \param role of who asks.
     * \param term that it is about.
     * \param stampNs of a heartbeat.
     */
    ColoHostMessage(Kind kind, uint16_t pair, colo_role role, uint32_t term, uint64_t stampNs = 0);

    /** \return whether what was deserialized is a message of this version. */
    bool IsValid() const;

    TypeId GetInstanceTypeId() const override;
    void Print(std::ostream& os) const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(Buffer::Iterator start) const override;
    uint32_t Deserialize(Buffer::Iterator start) override;

    Kind kind{KINDS};
    uint16_t pair{0};
    colo_role role{COLO_ROLE_PRIMARY};
    uint32_t term{0};
    uint64_t stampNs{0};
};

} // namespace ns3

#endif /* COLO_HOST_MESSAGE_H */
